"""Whether a stream's pictures still come from a sensor: those of a sensor are never quiet.

An encoder that is fed one picture over and over refines it for seconds, and sends a key frame now and then: its
pictures are not the same to the bit, but they differ from each other far less than a sensor's noise made them.
"""

from __future__ import annotations

from collections import deque
from statistics import median

import cv2

from edge.messages import Image

# The level is the median over so long, and over so many pictures at least: a key frame is an outlier in it.
_WINDOW_S, _MIN_PICTURES = 0.7, 8
# A level this many times lower than the lowest one known, for so long, is no sensor's. Over 30 streams
# (5 scenes, H.264 of three qualities, a key frame each 1 s and 4 s) live ones fell to 0.21 of it at most.
_QUIETER, _QUIET_S = 5.0, 0.3
# Levels that are remembered, one a window; the newest are not trusted yet, and some must be known.
_NUM_LEVELS, _NUM_UNTRUSTED, _MIN_LEVELS = 60, 4, 3
# Mean difference of two pictures, grey levels: an encoder that lets less of the noise through hides the sensor.
_HIDDEN = 0.05
# After an alarm so much less is expected: where it was false, a camera that has become calmer raises no second.
_HUMBLED = 4.0


class Liveliness:
    """Learns how much the pictures of one camera differ from one to the next; outlives its reopening."""

    def __init__(self) -> None:
        self._levels: deque[float] = deque(maxlen=_NUM_LEVELS)
        self.begin()

    def begin(self) -> None:
        """The device has been opened anew."""
        self._changes: deque[tuple[float, float]] = deque()
        self._untrusted: deque[float] = deque()
        self._level_at_s: float | None = None
        self._quiet_since_s: float | None = None

    def has_died(self, before: Image, now: Image, at_s: float) -> bool:
        """Whether pictures have been as good as the same for too long; two in succession, uint8 of one shape."""
        self._changes.append((at_s, float(cv2.absdiff(before, now).mean())))
        while len(self._changes) > _MIN_PICTURES and at_s - self._changes[0][0] > _WINDOW_S:
            self._changes.popleft()
        if len(self._changes) < _MIN_PICTURES:
            return False
        level = median(change for _, change in self._changes)
        self._learn(level, at_s)
        if not self._is_quiet(level):
            self._quiet_since_s = None
            return False
        self._quiet_since_s = at_s if self._quiet_since_s is None else self._quiet_since_s
        if at_s - self._quiet_since_s < _QUIET_S:
            return False
        self._levels.extend([min(self._levels) / _HUMBLED] * _NUM_LEVELS)
        return True

    def _is_quiet(self, level: float) -> bool:
        if len(self._levels) < _MIN_LEVELS:
            return False
        lowest = min(self._levels)
        return lowest > _HIDDEN and level < lowest / _QUIETER

    def _learn(self, level: float, at_s: float) -> None:
        """Remember the level once a window, and trust it some windows later: a dying camera must not teach."""
        if self._level_at_s is not None and at_s - self._level_at_s < _WINDOW_S:
            return
        self._level_at_s = at_s
        self._untrusted.append(level)
        if len(self._untrusted) > _NUM_UNTRUSTED:
            self._levels.append(self._untrusted.popleft())
