"""Has the camera's automatic come to rest, by the tints of its pictures and their times; pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from edge.messages import Image

# An automatic that still moves brightness by more than this share within the window has not come to rest.
_STEADY_LIGHT = 0.03
_STEADY_COLOR = 0.02
_WINDOW_S = 1.0
# Enough pictures within the window to tell rest from luck.
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Tint:
    """The mean of a picture: `light` in grey levels, 0..255; `warmth` and `green` are ratios to the other colors."""

    light: float
    warmth: float
    green: float


def tint_of(image: Image) -> Tint:
    """The tint of a picture, (H, W, 3) uint8 RGB."""
    red, green, blue = (float(level) + 1.0 for level in cv2.mean(image)[:3])
    return Tint((red + green + blue) / 3 - 1.0, red / blue, 2 * green / (red + blue))


class Settling:
    """Watches tints until they have stayed the same for a second."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Tint]] = deque()

    def update(self, tint: Tint, now_s: float) -> bool:
        """Take one more; whether all of the last second are alike."""
        self._seen.append((now_s, tint))
        while now_s - self._seen[0][0] > _WINDOW_S and now_s - self._seen[1][0] >= _WINDOW_S:
            self._seen.popleft()
        if len(self._seen) < _FEWEST or now_s - self._seen[0][0] < _WINDOW_S:
            return False
        tints = np.array([(seen.light + 1.0, seen.warmth, seen.green) for _, seen in self._seen])
        light, warmth, green = np.ptp(tints, axis=0) / tints.mean(axis=0)
        return bool(light < _STEADY_LIGHT and max(warmth, green) < _STEADY_COLOR)


def rate_hz(times_s: list[float]) -> float:
    """How many frames came a second, from their times; 0 when that cannot be told."""
    return (len(times_s) - 1) / (times_s[-1] - times_s[0]) if len(times_s) > 1 and times_s[-1] > times_s[0] else 0.0
