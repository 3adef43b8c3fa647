"""Learning the empty scene from what the camera shows at the start."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.presence.background import Background, brightness
from edge.presence.settings import PresenceSettings

Floats = NDArray[np.float32]

# Fewer frames than this say nothing about noise.
_MIN_FRAMES = 4
# Log units and share of pixels: more than this, and something moves.
_CHANGED = 0.12
_MAX_CHANGED = 0.005
# How many frames, spread over the time-out, the median of a scene that never rests is taken of.
_NUM_SAMPLES = 24


class SceneLearner:
    """Collects frames until the scene has lain still for long enough."""

    def __init__(self, settings: PresenceSettings) -> None:
        self._settings = settings
        self._still: list[Floats] = []
        self._still_since_s = 0.0
        self._samples: list[Floats] = []
        self._began_s: float | None = None

    def learn(self, log_picture: Floats, now_s: float) -> Background | None:
        """Take one more frame, (H, W, 3) log units; the empty scene once it is known."""
        if self._began_s is None:
            self._began_s = now_s
        if not self._still or _has_changed(self._still[0], log_picture):
            self._still, self._still_since_s = [], now_s
        self._still.append(log_picture)
        if len(self._still) >= _MIN_FRAMES and now_s - self._still_since_s >= self._settings.learn_s:
            return self._make(self._still)
        waited_s = now_s - self._began_s
        if waited_s >= len(self._samples) * self._settings.learn_timeout_s / _NUM_SAMPLES:
            self._samples.append(log_picture)
        if waited_s >= self._settings.learn_timeout_s:
            return Background(np.median(self._samples, axis=0).astype(np.float32), None, self._settings)
        return None

    def _make(self, frames: list[Floats]) -> Background:
        stack = np.stack(frames)
        mean = stack.mean(axis=0)
        deviation = stack - mean
        # A flicker of the whole picture is the light's, not a pixel's.
        deviation -= deviation.mean(axis=(1, 2), keepdims=True)
        variance = np.square(deviation).mean(axis=(0, 3))
        return Background(mean, np.ascontiguousarray(variance, np.float32), self._settings)


def _has_changed(before: Floats, now: Floats) -> bool:
    change: Floats = cv2.subtract(brightness(now), brightness(before))  # type: ignore[assignment]
    change -= np.median(change)
    return bool(np.mean(np.abs(change) > _CHANGED) > _MAX_CHANGED)
