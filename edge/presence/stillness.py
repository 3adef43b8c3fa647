"""For how long the foreground has lain still."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.presence.background import Difference
from edge.presence.learning import has_changed
from edge.presence.planes import Floats, Mask, exceeds

# Work pixels: what moved less than this since the anchor frame lies still.
_MAX_SHIFT_PX = 0.2
# Once still, it takes this much more to count as moving: noise must not end a rest.
_HYSTERESIS = 1.6
# Log units a pixel, added to the mean gradient: below it there is nothing to measure movement by.
_FLAT = 0.005
# Log units: a pixel that changed this much shows something else now.
_CHANGED = 0.3
# Share of the foreground that may change and still be a glint, and the least number of work pixels.
_MAX_CHANGED, _MIN_CHANGED_PX = 0.02, 4
# How often a picture is held against the first one like it, seconds: it costs a sixth of a frame's whole presence.
_LOOK_S = 1.0


class Stillness:
    """Compares each frame with the first one that looked like it.

    Holding a frame against that anchor rather than against the one before finds slow movement too.
    The change of a moving picture is its gradient times the way it went, so the mean of one over the
    mean of the other is the movement in pixels, whatever the contrast of the item. What noise and
    flicker change is measured where nothing lies, and taken off.
    """

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._anchor: Floats | None = None
        self._anchor_mask: Mask = np.zeros((1, 1), np.uint8)
        self._since_s = 0.0
        self._still_s = 0.0

    def reset(self) -> None:
        """Nothing is there."""
        self._anchor = None

    def update(self, difference: Difference, mask: Mask, watched_s: float) -> float:
        """For how many of the seconds that were watched, up to now, what lies under `mask` (H, W) has not moved."""
        # The change, not the picture itself, stays the same while the scene takes over the light.
        look: Floats = cv2.blur(difference.change, (3, 3))  # type: ignore[assignment]
        if self._anchor is None or self._has_moved(self._anchor, look, difference.edges, mask):
            self._anchor, self._anchor_mask, self._since_s = look, mask, watched_s
        self._still_s = watched_s - self._since_s
        return self._still_s

    def _has_moved(self, anchor: Floats, look: Floats, edges: Floats, mask: Mask) -> bool:
        either = cv2.bitwise_or(mask, self._anchor_mask)
        change: Floats = cv2.absdiff(look, anchor)  # type: ignore[assignment]
        num_changed = cv2.countNonZero(cv2.bitwise_and(exceeds(change, _CHANGED), either))
        if num_changed > max(_MIN_CHANGED_PX, _MAX_CHANGED * cv2.countNonZero(mask)):
            return True
        noise = cv2.mean(change, cv2.bitwise_not(either))[0]
        shift_px = (cv2.mean(change, either)[0] - noise) / (cv2.mean(edges, either)[0] + _FLAT)
        is_still = self._still_s >= self._settle_s
        return shift_px > _MAX_SHIFT_PX * (_HYSTERESIS if is_still else 1.0)


@dataclass(slots=True)
class _Shown:
    """A picture, and for how many seconds in all it has been shown."""

    picture: Floats
    lasted_s: float = 0.0


class Standstill:
    """For how long the picture itself has shown the same, whatever is made of it, and whatever came and went meanwhile.

    Another ground under the old scene's light is explained now in this way, now in that, and what differs from it
    never lies still. What was left lying lies still only between the items that come to lie beside it.
    """

    def __init__(self) -> None:
        self._now: _Shown | None = None
        self._longest: _Shown | None = None
        self._looked_s = 0.0

    def reset(self) -> None:
        """Nothing is there, or the scene is another one."""
        self._now = self._longest = None

    def update(self, log_picture: Floats, watched_s: float) -> float:
        """For how many of the seconds watched since there was nothing the frames (H, W, 3) have been like this one."""
        if self._now is None or self._longest is None:
            self._now = self._longest = _Shown(log_picture)
            self._looked_s = watched_s
        elif watched_s - self._looked_s >= _LOOK_S:
            self._look(self._now, self._longest, log_picture, watched_s - self._looked_s)
            self._looked_s = watched_s
        return self._now.lasted_s

    def _look(self, before: _Shown, longest: _Shown, log_picture: Floats, elapsed_s: float) -> None:
        if not has_changed(before.picture, log_picture):
            before.lasted_s += elapsed_s
        elif not has_changed(longest.picture, log_picture):
            self._now = longest
        else:
            self._now = _Shown(log_picture)
        self._longest = max(longest, before, key=lambda shown: shown.lasted_s)
