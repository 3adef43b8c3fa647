"""From a score per pixel to the things that lie there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Box
from edge.presence.planes import Floats, Mask, exceeds, gradient

# Standard deviations: a thing is made of weak pixels around at least some strong ones.
STRONG = 6.0
WEAK = 3.0
# Of the pixels that make the smallest item, this share must be strong.
_STRONG_SHARE = 0.25
# A thing has a rim: near it the score rises by this much per work pixel. Light that the surface does
# not explain, and soft shadows, rise slowly.
RIM_SLOPE = 1.0
_RIM_REACH = np.ones((11, 11), np.uint8)
# Gaps of up to 6 work pixels inside one thing: the clear part of a bottle between cap and label.
_CLOSING = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
# Of two things the smaller counts as a second item only from this share of the larger one's area.
_SECOND_ITEM = 0.2
# The score is smoothed over 3 pixels, which widens everything by one.
_WIDENED_PX = 1
# An arm is cut off by the rim of the picture at this share of its greatest width or more, over at
# least so many work pixels, and is longer than it is wide there.
_ARM_CUT = 0.4
_MIN_CUT_PX = 4


@dataclass(frozen=True, slots=True)
class Thing:
    """One connected piece of foreground, in work pixels."""

    box: Box
    area_px: int
    is_arm_like: bool


@dataclass(frozen=True, slots=True, eq=False)
class Foreground:
    """All that differs from the empty scene: the things, largest first, and their (H, W) 0/255 mask."""

    things: tuple[Thing, ...]
    mask: Mask

    @property
    def is_several(self) -> bool:
        """Whether a second thing is large enough to be an item of its own."""
        return len(self.things) > 1 and self.things[1].area_px >= _SECOND_ITEM * self.things[0].area_px


def find_things(score: Floats, min_area_px: float, sensitivity: float) -> Foreground:
    """The connected things in an (H, W) score; those without strong evidence or too small are left out."""
    strong = exceeds(score, STRONG / sensitivity)
    if cv2.countNonZero(strong) < _STRONG_SHARE * min_area_px:
        return Foreground((), np.zeros(score.shape, np.uint8))
    labels, stats = _components(score, sensitivity)
    num_strong = np.bincount(labels[strong > 0], minlength=len(stats))
    keep = (stats[:, cv2.CC_STAT_AREA] >= min_area_px) & (num_strong >= _STRONG_SHARE * min_area_px)
    keep[0] = False  # the ground
    things = [_thing(labels, int(label), stats[label]) for label in np.flatnonzero(keep)]
    mask = np.where(keep, 255, 0).astype(np.uint8)[labels]
    return Foreground(tuple(sorted(things, key=lambda thing: -thing.area_px)), mask)


def union(boxes: list[Box]) -> Box:
    """The smallest box around all boxes; there must be at least one."""
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    right = max(box.x + box.width for box in boxes)
    bottom = max(box.y + box.height for box in boxes)
    return Box(left, top, right - left, bottom - top)


def _components(score: Floats, sensitivity: float) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Weak pixels near a rim, closed and filled, as labels (H, W) and OpenCV's statistics of each."""
    rim = cv2.dilate(exceeds(gradient(score), RIM_SLOPE / sensitivity), _RIM_REACH)
    near_rim = cv2.bitwise_and(exceeds(score, WEAK / sensitivity), rim)
    closed = cv2.morphologyEx(near_rim, cv2.MORPH_CLOSE, _CLOSING)
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(closed, contours, -1, (255,), cv2.FILLED)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    return labels, stats  # type: ignore[return-value]


def _thing(labels: NDArray[np.int32], label: int, stats: NDArray[np.int32]) -> Thing:
    x, y, width, height, area = (int(value) for value in stats)
    shape = labels[y : y + height, x : x + width] == label
    rows, columns = labels.shape
    sides = (
        (y <= 0, shape.sum(axis=1)),
        (y + height >= rows, shape.sum(axis=1)[::-1]),
        (x <= 0, shape.sum(axis=0)),
        (x + width >= columns, shape.sum(axis=0)[::-1]),
    )
    is_arm_like = any(touches and _is_cut_like_an_arm(widths) for touches, widths in sides)
    return Thing(_narrowed(Box(x, y, width, height), columns, rows), area, is_arm_like)


def _is_cut_like_an_arm(widths: NDArray[np.int64]) -> bool:
    """`widths` of a thing by depth, from the rim of the picture inwards, work pixels."""
    # The outermost row is where smoothing and closing reach a rim that the thing itself does not.
    cut_px = int(widths[: _WIDENED_PX + 2].min())
    return cut_px >= max(_MIN_CUT_PX, _ARM_CUT * int(widths.max())) and len(widths) > cut_px


def _narrowed(box: Box, columns: int, rows: int) -> Box:
    left, top = box.x + _WIDENED_PX * (box.x > 0), box.y + _WIDENED_PX * (box.y > 0)
    right = box.x + box.width - _WIDENED_PX * (box.x + box.width < columns)
    bottom = box.y + box.height - _WIDENED_PX * (box.y + box.height < rows)
    return Box(left, top, max(1, right - left), max(1, bottom - top))
