"""One thing on its way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from edge.items.boxes import around, is_cut_off, step
from edge.messages import Box, Item

# Pieces are of one item when together they are at most this many times as long as it was when seen in one piece.
_MAX_STRETCH = 1.25
# Share of the newest movement in the speed.
_SPEED_WEIGHT = 0.5


@dataclass(slots=True)
class Track:
    """One thing on its way: `box` is where it is, or must be; pixels, and pixels a second.

    `moved` is how far it is from where it came into view, `far` the farthest that it has been from there. `width` and
    `height` are the greatest that it had when it was seen in one piece. `came_across` is True for what came into view
    over the left or right rim, False over the upper or lower one, None where that was not seen. `was_whole`: a rim on
    its way has not cut it off all the time.
    """

    item: Item
    box: Box
    seen_s: float
    width: int
    height: int
    moved_x: float = 0.0
    moved_y: float = 0.0
    far_x: float = 0.0
    far_y: float = 0.0
    speed_x: float = 0.0
    speed_y: float = 0.0
    num_seen: int = 1
    is_alone: bool = True
    is_item: bool = False
    is_decided: bool = False
    came_across: bool | None = None
    was_whole: bool = False

    @classmethod
    def begin(cls, item: Item, thing: Box, region: Box, usual_speed: tuple[float, float], now_s: float) -> Self:
        """What has just come into view: in a corner as usual, else as a sliver along the rim over which it comes."""
        across = is_cut_off(thing.x, thing.width, region.x, region.width)
        down = is_cut_off(thing.y, thing.height, region.y, region.height)
        is_across = thing.width <= thing.height
        if any(usual_speed):
            is_across = abs(usual_speed[0]) >= abs(usual_speed[1])
        came_across = (is_across if down else True) if across else (False if down else None)
        return cls(item, thing, now_s, thing.width, thing.height, came_across=came_across)

    def expected(self, now_s: float, usual_speed: tuple[float, float] = (0.0, 0.0)) -> Box:
        """Where the box must be by now. What was seen only once goes at the usual speed, x and y."""
        speed_x, speed_y = (self.speed_x, self.speed_y) if self.num_seen > 1 else usual_speed
        elapsed_s = now_s - self.seen_s
        return replace(self.box, x=self.box.x + round(speed_x * elapsed_s), y=self.box.y + round(speed_y * elapsed_s))

    def is_around(self, pieces: Sequence[Box]) -> bool:
        """Whether these may all be pieces of this one thing."""
        box = around(pieces)
        return box.width <= _MAX_STRETCH * self.width and box.height <= _MAX_STRETCH * self.height

    def see(self, pieces: Sequence[Box], region: Box, now_s: float) -> None:
        """The thing was found, on its own, as these pieces."""
        box, elapsed_s = around(pieces), now_s - self.seen_s
        if elapsed_s > 0:
            step_x = step(self.box.x, self.box.width, box.x, box.width, region.x, region.width)
            step_y = step(self.box.y, self.box.height, box.y, box.height, region.y, region.height)
            # Of what came over one rim and is cut off by another, more comes into view along that one.
            if self.came_across is True and is_cut_off(box.y, box.height, region.y, region.height):
                step_y = 0.0
            if self.came_across is False and is_cut_off(box.x, box.width, region.x, region.width):
                step_x = 0.0
            self._move(step_x, step_y)
            weight = 1.0 if self.num_seen == 1 else _SPEED_WEIGHT
            self.speed_x += weight * (step_x / elapsed_s - self.speed_x)
            self.speed_y += weight * (step_y / elapsed_s - self.speed_y)
        self.box, self.seen_s, self.is_alone = box, now_s, True
        self.num_seen += 1
        for piece in pieces:
            self.width, self.height = max(self.width, piece.width), max(self.height, piece.height)

    def carry_on(self, now_s: float) -> None:
        """The thing touches another: it goes on as it went."""
        expected = self.expected(now_s)
        self._move(expected.x - self.box.x, expected.y - self.box.y)
        self.box, self.seen_s, self.is_alone = expected, now_s, False

    def _move(self, step_x: float, step_y: float) -> None:
        self.moved_x, self.moved_y = self.moved_x + step_x, self.moved_y + step_y
        if math.hypot(self.moved_x, self.moved_y) > math.hypot(self.far_x, self.far_y):
            self.far_x, self.far_y = self.moved_x, self.moved_y
