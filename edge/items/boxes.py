"""Boxes against each other: where they are, what they share, how far they went; pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edge.messages import Box


def middle(box: Box) -> tuple[float, float]:
    """Its center, x and y."""
    return box.x + box.width / 2, box.y + box.height / 2


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds them all."""
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    right, bottom = max(box.x + box.width for box in boxes), max(box.y + box.height for box in boxes)
    return Box(left, top, right - left, bottom - top)


def overlap(first: Box, second: Box) -> float:
    """The common area as a share of the smaller box."""
    width = common(first.x, first.width, second.x, second.width)
    height = common(first.y, first.height, second.y, second.height)
    smaller = min(first.width * first.height, second.width * second.height)
    return width * height / max(1, smaller)


def intersection_over_union(first: Box, second: Box) -> float:
    """The common area as a share of all that the two cover."""
    width = common(first.x, first.width, second.x, second.width)
    height = common(first.y, first.height, second.y, second.height)
    shared = width * height
    return shared / max(1, first.width * first.height + second.width * second.height - shared)


def common(start: int, length: int, other_start: int, other_length: int) -> int:
    """The length that two intervals share."""
    return max(0, min(start + length, other_start + other_length) - max(start, other_start))


def gap(first: Box, second: Box) -> float:
    """The shortest way from one box to the other, 0 when they touch."""
    across = max(first.x, second.x) - min(first.x + first.width, second.x + second.width)
    down = max(first.y, second.y) - min(first.y + first.height, second.y + second.height)
    return math.hypot(max(0, across), max(0, down))


def is_cut_off(start: int, length: int, rim: int, room: int) -> bool:
    """Whether an interval reaches an end of the room that begins at `rim`."""
    return start <= rim or start + length >= rim + room


def step(start: int, length: int, new_start: int, new_length: int, rim: int, room: int) -> float:
    """How far an interval went, by those of its ends that are not cut off at a rim of the region.

    The middle of something that comes in at a rim goes half as fast as the thing itself. What grew by more than it
    went has not gone: more of it came into view.
    """
    steps = []
    if min(start, new_start) > rim:
        steps.append(new_start - start)
    if max(start + length, new_start + new_length) < rim + room:
        steps.append(new_start + new_length - start - length)
    if not steps:
        return new_start + new_length / 2 - start - length / 2
    went = sum(steps) / len(steps)
    return 0.0 if abs(steps[-1] - steps[0]) > abs(went) else went
