"""From a score per pixel to the things that lie there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Box
from edge.presence.background import gradient

Floats = NDArray[np.float32]
Mask = NDArray[np.uint8]

# Standard deviations: a thing is made of weak pixels around at least some strong ones.
STRONG = 6.0
WEAK = 3.0
# A thing has a rim: near it the score rises by this much per work pixel. Light that the surface does
# not explain, and soft shadows, rise slowly.
RIM_SLOPE = 1.0
_RIM_REACH = np.ones((11, 11), np.uint8)
# Gaps of up to 6 work pixels inside one thing: the clear part of a bottle between cap and label.
_CLOSING = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
# Of two things the smaller counts as a second item only from this share of the larger one's area.
_SECOND_ITEM = 0.2


@dataclass(frozen=True, slots=True)
class Thing:
    """One connected piece of foreground, in work pixels."""

    label: int
    box: Box
    area_px: int


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
    strong = cv2.compare(score, STRONG / sensitivity, cv2.CMP_GT)
    if cv2.countNonZero(strong) == 0:
        return Foreground((), np.zeros(score.shape, np.uint8))
    weak = cv2.compare(score, WEAK / sensitivity, cv2.CMP_GT)
    rim = cv2.dilate(cv2.compare(gradient(score), RIM_SLOPE / sensitivity, cv2.CMP_GT), _RIM_REACH)
    closed = cv2.morphologyEx(cv2.bitwise_and(weak, rim), cv2.MORPH_CLOSE, _CLOSING)
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(closed, contours, -1, 255, cv2.FILLED)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    num_strong = np.bincount(labels[strong > 0], minlength=len(stats))
    keep = (stats[:, cv2.CC_STAT_AREA] >= min_area_px) & (num_strong >= 0.25 * min_area_px)
    keep[0] = False
    things = [_thing(int(label), stats[label]) for label in np.flatnonzero(keep)]
    mask = np.where(keep, 255, 0).astype(np.uint8)[labels]
    return Foreground(tuple(sorted(things, key=lambda thing: -thing.area_px)), mask)


def union(boxes: list[Box]) -> Box:
    """The smallest box around all boxes; there must be at least one."""
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    right = max(box.x + box.width for box in boxes)
    bottom = max(box.y + box.height for box in boxes)
    return Box(left, top, right - left, bottom - top)


def touches_border(box: Box, width_px: int, height_px: int) -> bool:
    """Whether a box reaches the rim of the picture."""
    return box.x <= 0 or box.y <= 0 or box.x + box.width >= width_px or box.y + box.height >= height_px


def _thing(label: int, stats: NDArray[np.int32]) -> Thing:
    x, y, width, height, area = (int(value) for value in stats)
    return Thing(label, Box(x, y, width, height), area)
