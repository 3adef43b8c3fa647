"""From a score per pixel to the things that lie there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from itertools import compress

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Box
from edge.presence.planes import Floats, Mask, exceeds, gradient

Labels = NDArray[np.uint8]
Outline = NDArray[np.int32]

# Standard deviations: a thing is made of weak pixels around at least some strong ones.
STRONG = 6.0
WEAK = 3.0
# Of the pixels that make the smallest item, this share must be strong; or so many times as many are weak and
# doubtful: on a ground with edges everywhere, each of which may have moved, no single pixel of an item is surer.
_STRONG_SHARE, _WEAK_SHARE = 0.25, 3.0
# A thing has a rim: near it the score rises by this much per work pixel. Light that the surface does
# not explain, and soft shadows, rise slowly.
RIM_SLOPE = 1.0
_RIM_REACH = np.ones((11, 11), np.uint8)
# Gaps of up to 6 work pixels inside one thing: the clear part of a bottle between cap and label.
_CLOSING = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
# The score is smoothed over 3 pixels, which widens everything by one.
_WIDENED_PX = 1
# An arm is cut off by the rim of the picture at this share of its greatest width or more, over at
# least so many work pixels, and is longer than it is wide there.
_ARM_CUT = 0.3
_MIN_CUT_PX = 4
# A thing whose strong pixels are this doubtful on average, this many times as doubtful as those of
# the surest thing, and hardly stronger than they must be, is an edge of the scene that has moved.
# Near something sure it may still be a part of it that lies across such an edge.
_DOUBTFUL, _DOUBTFUL_RATIO, _HARDLY = 0.5, 2.0, 2 * STRONG
_PART_REACH = np.ones((17, 17), np.uint8)


# Of two things the smaller counts as a second item only from this share of the larger one's area.
SECOND_ITEM = 0.2
# More than this is a scene that has changed, not a number of things; labels must fit a byte.
_MAX_THINGS = 64
# A smaller thing belongs to the largest within this share of the latter's longer side.
_BELONGS = 0.4


class Side(Flag):
    """The rims of the picture."""

    TOP = auto()
    BOTTOM = auto()
    LEFT = auto()
    RIGHT = auto()


@dataclass(frozen=True, slots=True)
class Thing:
    """One connected piece of foreground, in work pixels; `touches` says which rims it reaches."""

    label: int
    box: Box
    area_px: int
    center: tuple[int, int]
    touches: Side
    is_arm_like: bool

    @property
    def spans(self) -> bool:
        """Whether it reaches from one rim of the picture to the opposite one."""
        return Side.TOP | Side.BOTTOM in self.touches or Side.LEFT | Side.RIGHT in self.touches


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A thing with the mean score and the mean doubt of the pixels that tell it."""

    thing: Thing
    strength: float
    doubt: float

    def is_moved_edge(self, surest: float) -> bool:
        return self.doubt > max(_DOUBTFUL, _DOUBTFUL_RATIO * surest) and self.strength < _HARDLY


@dataclass(frozen=True, slots=True, eq=False)
class Foreground:
    """All that differs from the empty scene, in work pixels.

    `things`, largest first, leaves out edges of the scene that have moved; `box` is around the largest and
    what belongs to it; `mask` (H, W) holds everything, `labels` (H, W) says which thing.
    """

    things: tuple[Thing, ...]
    box: Box
    mask: Mask
    labels: Labels

    @property
    def large(self) -> tuple[Thing, ...]:
        """The largest thing, and those that are large beside it."""
        return tuple(thing for thing in self.things if thing.area_px >= SECOND_ITEM * self.things[0].area_px)

    def mask_of(self, thing: Thing) -> Mask:
        """(H, W) 0/255 where `thing` lies."""
        return _mask_of(self.labels, thing.label)


def find_things(score: Floats, doubt: Floats, min_area_px: float, sensitivity: float) -> Foreground | None:
    """The connected things in an (H, W) score, None without any that is large and strong enough.

    `doubt` (H, W) 0..1 says how much of a pixel's noise comes from the edges of the scene.
    """
    strong, doubtful = exceeds(score, STRONG / sensitivity), exceeds(doubt, _DOUBTFUL)
    weak: Mask = cv2.bitwise_and(exceeds(score, WEAK / sensitivity), doubtful)  # type: ignore[assignment]
    if _telling(strong, weak, min_area_px) is None:
        return None
    # Over the edges of the scene hardly anything can be strong; a soft shadow beside a thing is neither.
    firm: Mask = cv2.bitwise_or(strong, doubtful)  # type: ignore[assignment]
    labels, shapes = _shapes(score, min_area_px, sensitivity)
    candidates: list[_Candidate] = []
    for label, shape in enumerate(shapes, start=1):
        own = _mask_of(labels, label)
        telling = _telling(cv2.bitwise_and(strong, own), cv2.bitwise_and(weak, own), min_area_px)  # type: ignore[arg-type]
        if telling is not None:
            strength = cv2.mean(cv2.min(score, 2.0 * _HARDLY), telling)[0] * sensitivity  # type: ignore[call-overload]
            thing = _thing(labels, firm, label, shape)
            candidates.append(_Candidate(thing, strength, cv2.mean(doubt, telling)[0]))
    if not candidates:
        return None
    surest = min(candidate.doubt for candidate in candidates)
    things = [candidate.thing for candidate in candidates if not candidate.is_moved_edge(surest)]
    things.sort(key=lambda thing: -thing.area_px)
    mask = _mask_of(labels, *(candidate.thing.label for candidate in candidates))
    return Foreground(tuple(things), _box_around(things, labels, mask), mask, labels)


def _telling(strong: Mask, weak: Mask, min_area_px: float) -> Mask | None:
    """Those pixels that are enough to tell a thing: the strong ones, else the weak and doubtful ones, else None."""
    if cv2.countNonZero(strong) >= _STRONG_SHARE * min_area_px:
        return strong
    return weak if cv2.countNonZero(weak) >= _WEAK_SHARE * min_area_px else None


def _box_around(things: list[Thing], labels: Labels, mask: Mask) -> Box:
    """The box around the largest thing and what belongs to it; far specks do not."""
    main = things[0]
    reach_px = _BELONGS * max(main.box.width, main.box.height)
    belongs = [
        thing.label
        for thing in things
        if thing.area_px >= SECOND_ITEM * main.area_px or _distance_px(main.box, thing.box) <= reach_px
    ]
    parts = cv2.bitwise_and(mask, cv2.dilate(_mask_of(labels, *belongs), _PART_REACH))
    return _narrowed(Box(*cv2.boundingRect(parts)), *mask.shape)


def _distance_px(first: Box, second: Box) -> int:
    """The larger of the gaps between two boxes along x and y, 0 when they overlap."""
    gap_x = max(first.x, second.x) - min(first.x + first.width, second.x + second.width)
    gap_y = max(first.y, second.y) - min(first.y + first.height, second.y + second.height)
    return max(0, gap_x, gap_y)


def _mask_of(labels: Labels, *wanted: int) -> Mask:
    """(H, W) 0/255 where one of the wanted labels lies."""
    table = np.zeros(256, np.uint8)
    table[list(wanted)] = 255
    return cv2.LUT(labels, table)  # type: ignore[return-value]


def _shapes(score: Floats, min_area_px: float, sensitivity: float) -> tuple[Labels, list[Outline]]:
    """Weak pixels near a rim, closed and filled: labels (H, W) from 1, and the outline of each."""
    rim = cv2.dilate(exceeds(gradient(score), RIM_SLOPE / sensitivity), _RIM_REACH)
    near_rim: Mask = cv2.bitwise_and(exceeds(score, WEAK / sensitivity), rim)  # type: ignore[assignment]
    outlines, _ = cv2.findContours(_closed(near_rim), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    large = [outline for outline in outlines if cv2.contourArea(outline) >= min_area_px][:_MAX_THINGS]
    labels = np.zeros(score.shape, np.uint8)
    for label, outline in enumerate(large, start=1):
        cv2.drawContours(labels, [outline], 0, (label,), cv2.FILLED)
    return labels, large  # type: ignore[return-value]


def _closed(mask: Mask) -> Mask:
    """The mask with its gaps filled. The rim of the picture is continued, or closing would glue things to it."""
    margin = _CLOSING.shape[0]
    wider = cv2.copyMakeBorder(mask, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(wider, cv2.MORPH_CLOSE, _CLOSING)
    return np.ascontiguousarray(closed[margin:-margin, margin:-margin], np.uint8)


def _thing(labels: Labels, firm: Mask, label: int, outline: Outline) -> Thing:
    x, y, width, height = cv2.boundingRect(outline)
    rows, columns = labels.shape
    inside = np.s_[y : y + height, x : x + width]
    area_px = cv2.countNonZero(_mask_of(labels[inside], label))
    touching = [y <= 0, y + height >= rows, x <= 0, x + width >= columns]
    is_arm_like = False
    if any(touching):
        shape = cv2.bitwise_and(_mask_of(labels, label), firm)[inside] > 0
        by_row, by_column = shape.sum(axis=1), shape.sum(axis=0)
        inwards = (by_row, by_row[::-1], by_column, by_column[::-1])
        is_arm_like = any(map(_is_cut_like_an_arm, compress(inwards, touching)))
    touches = Side(sum(side.value for side in compress(Side, touching)))
    box = _narrowed(Box(x, y, width, height), rows, columns)
    return Thing(label, box, area_px, _center(outline), touches, is_arm_like)


def _center(outline: Outline) -> tuple[int, int]:
    moments = cv2.moments(outline)
    return round(moments["m10"] / moments["m00"]), round(moments["m01"] / moments["m00"])


def _is_cut_like_an_arm(widths: NDArray[np.int64]) -> bool:
    """`widths` of a thing by depth, from the rim of the picture inwards, work pixels."""
    # The outermost rows are where smoothing and closing reach a rim that the thing itself does not.
    cut_px = int(widths[: _WIDENED_PX + 2].min())
    return cut_px >= max(_MIN_CUT_PX, _ARM_CUT * int(widths.max())) and len(widths) > cut_px


def _narrowed(box: Box, rows: int, columns: int) -> Box:
    left, top = box.x + _WIDENED_PX * (box.x > 0), box.y + _WIDENED_PX * (box.y > 0)
    right = box.x + box.width - _WIDENED_PX * (box.x + box.width < columns)
    bottom = box.y + box.height - _WIDENED_PX * (box.y + box.height < rows)
    return Box(left, top, max(1, right - left), max(1, bottom - top))
