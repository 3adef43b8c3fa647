"""Learning the empty scene from what the camera shows at the start."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.presence.planes import SQUARE3, Floats, brightness, exceeds, minus, positive, share_of
from edge.presence.settings import PresenceSettings

# Fewer frames than this say nothing about noise.
_MIN_FRAMES = 4
# Log units and share of pixels: more than this, and something moves.
_CHANGED = 0.12
_MAX_CHANGED = 0.005
# What differs more than this from row to row is no stripe of light, log units.
_MAX_STRIPE = 0.45
# How many frames, spread over the time-out, the median of a scene that never rests is taken of.
_NUM_SAMPLES = 24


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What was learned: the mean (H, W, 3) log picture and its variance (H, W)."""

    mean: Floats
    variance: Floats


class SceneLearner:
    """Looks on until the scene has lain still for long enough."""

    def __init__(self, settings: PresenceSettings) -> None:
        self._settings = settings
        self._still: _Still | None = None
        self._samples: list[Floats] = []
        self._began_s: float | None = None

    def learn(self, log_picture: Floats, now_s: float) -> Lesson | None:
        """Take one more frame, (H, W, 3) log units; the empty scene once it is known."""
        if self._began_s is None:
            self._began_s = now_s
        if self._still is None or has_changed(self._still.first, log_picture):
            self._still = _Still(log_picture, now_s)
        self._still.add(log_picture)
        if self._settings.learn_s == 0 or self._is_enough(self._still, now_s):
            return self._still.lesson()
        waited_s = now_s - self._began_s
        if waited_s >= len(self._samples) * self._settings.learn_timeout_s / _NUM_SAMPLES:
            self._samples.append(log_picture)
        if waited_s >= self._settings.learn_timeout_s:
            median = np.asarray(np.median(self._samples, axis=0), np.float32)
            return Lesson(median, np.zeros(median.shape[:2], np.float32))
        return None

    def _is_enough(self, still: _Still, now_s: float) -> bool:
        return still.num_frames >= _MIN_FRAMES and now_s - still.since_s >= self._settings.learn_s


class _Still:
    """What frames have in common that are like the first one: sums alone, since they may be thousands."""

    def __init__(self, first: Floats, since_s: float) -> None:
        self.first, self.since_s = first, since_s
        self.num_frames = 0
        self._change = np.zeros_like(first)
        self._squares = np.zeros_like(first)

    def add(self, log_picture: Floats) -> None:
        change = minus(log_picture, self.first)
        self._change += change
        self._squares += np.square(_without_rows(change))
        self.num_frames += 1

    def lesson(self) -> Lesson:
        num_frames = np.float32(self.num_frames)
        change = self._change / num_frames
        variance = self._squares / num_frames - np.square(_without_rows(change))
        return Lesson(self.first + change, positive(variance.mean(axis=2)))


def _without_rows(change: Floats) -> Floats:
    """A flicker of whole rows is the light's, not a pixel's."""
    return change - change.mean(axis=1, keepdims=True)  # type: ignore[no-any-return]


def has_changed(before: Floats, now: Floats) -> bool:
    """Whether something moves; a camera that trembles by a work pixel, a lamp that flickers and its stripes do not."""
    was, shade = _smooth(before), _smooth(now)
    of_rows = np.median(shade - was, axis=1, keepdims=True)
    of_all = np.median(of_rows)
    shade -= of_all + np.clip(of_rows - of_all, -_MAX_STRIPE, _MAX_STRIPE)
    inside: Floats = cv2.min(cv2.max(shade, cv2.erode(was, SQUARE3)), cv2.dilate(was, SQUARE3))  # type: ignore[assignment]
    return share_of(exceeds(np.abs(minus(shade, inside)), _CHANGED)) > _MAX_CHANGED


def _smooth(log_picture: Floats) -> Floats:
    return cv2.blur(brightness(log_picture), (3, 3))  # type: ignore[return-value]
