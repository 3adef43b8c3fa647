"""Two things, or two parts of one."""

from __future__ import annotations

import cv2
import numpy as np

from edge.presence.planes import Floats, Mask
from edge.presence.regions import SECOND_ITEM, Foreground, Thing

# Between two parts of a clear item the score is this many times that of the empty ground, and not as low as this,
# standard deviations: on a scene that is learned well, light that drifts is many times the little that is left.
_HAZE, _NOTHING = 1.6, 0.6
# Of the largest thing's area: what a second item has at least where it lies farther off than either of them is long,
# as no part of one item does. Nearer ones must be larger.
_SMALL_ITEM = 0.05
# Around a thing the score is raised by blur and shadow; work pixels.
_HALO = np.ones((5, 5), np.uint8)
# Where edges of the scene hide what lies between two parts, a gap up to so many work pixels is no gap.
_HIDDEN_GAP_PX = 8
_HIDDEN = 0.5


def is_several(foreground: Foreground, score: Floats, doubt: Floats) -> bool:
    """Whether another thing than the largest is large enough, and apart enough, to be an item of its own."""
    first = foreground.things[0]
    return any(_is_another(foreground, first, other, score, doubt) for other in foreground.things[1:])


def _is_another(foreground: Foreground, first: Thing, other: Thing, score: Floats, doubt: Floats) -> bool:
    if other.area_px < _SMALL_ITEM * first.area_px:
        return False
    gap, length_px = _gap(foreground.mask, first, other)
    is_far = length_px > max(first.box.width, first.box.height, other.box.width, other.box.height)
    if length_px == 0 or not (is_far or other.area_px >= SECOND_ITEM * first.area_px):
        return False
    if length_px <= _HIDDEN_GAP_PX and cv2.mean(doubt, gap)[0] > _HIDDEN:
        return False
    ground = cv2.mean(score, cv2.bitwise_not(cv2.bitwise_or(foreground.mask, gap)))[0]
    return cv2.mean(score, gap)[0] < max(_NOTHING, _HAZE * ground)


def _gap(mask: Mask, first: Thing, second: Thing) -> tuple[Mask, int]:
    """The corridor between two things, without them, as a mask; and its length in work pixels."""
    narrow = min(first.box.width, first.box.height, second.box.width, second.box.height)
    outside = cv2.bitwise_not(cv2.dilate(mask, _HALO))
    line, corridor = np.zeros_like(mask), np.zeros_like(mask)
    cv2.line(line, first.center, second.center, (255,), 1)
    cv2.line(corridor, first.center, second.center, (255,), max(3, narrow // 2))
    length_px = cv2.countNonZero(cv2.bitwise_and(line, outside))
    return cv2.bitwise_and(corridor, outside), length_px  # type: ignore[return-value]
