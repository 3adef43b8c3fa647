"""For how long the foreground has lain still."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.presence.background import Difference, brightness

# Log units: what noise and flicker change from frame to frame.
_NOISE = 0.06
# Work pixels: an item that moved less than this since the anchor frame lies still.
_MAX_SHIFT_PX = 0.25
# Log units: a pixel that changed this much shows something else now.
_CHANGED = 0.3
# Share of the foreground that may change and still be a glint.
_MAX_CHANGED = 0.02


class Stillness:
    """Compares each frame with the first one that looked like it.

    Holding a frame against that anchor rather than against the one before finds slow movement too.
    The change of a moving picture is its gradient times the way it went, so the sum of one over the
    sum of the other is the movement in pixels, whatever the contrast of the item.
    """

    def __init__(self) -> None:
        self._anchor: NDArray[np.float32] | None = None
        self._anchor_mask: NDArray[np.uint8] | None = None
        self._since_s = 0.0

    def reset(self) -> None:
        """Nothing is there."""
        self._anchor = self._anchor_mask = None

    def update(self, difference: Difference, mask: NDArray[np.uint8], now_s: float) -> float:
        """Seconds since what lies under `mask` (H, W) last moved."""
        plane = brightness(difference.relit)
        if self._has_moved(plane, difference.edges, mask):
            self._anchor, self._anchor_mask, self._since_s = plane, mask, now_s
        return now_s - self._since_s

    def _has_moved(self, plane: NDArray[np.float32], edges: NDArray[np.float32], mask: NDArray[np.uint8]) -> bool:
        if self._anchor is None or self._anchor_mask is None:
            return True
        either = cv2.bitwise_or(mask, self._anchor_mask)
        change = cv2.absdiff(plane, self._anchor)
        num_pixels = max(1, cv2.countNonZero(mask))
        changed = cv2.bitwise_and(cv2.compare(change, _CHANGED, cv2.CMP_GT), either)
        if cv2.countNonZero(changed) > max(4, _MAX_CHANGED * num_pixels):
            return True
        beyond_noise = cv2.max(cv2.subtract(change, _NOISE), 0)
        moved = cv2.mean(beyond_noise, either)[0]
        return moved > _MAX_SHIFT_PX * (cv2.mean(edges, either)[0] + 0.01)
