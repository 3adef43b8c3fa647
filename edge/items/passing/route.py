"""The way of things through the region of interest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge.items.boxes import middle
from edge.items.passing.track import Track
from edge.items.tracking import Direction
from edge.messages import Box

# A box nearer to the rim than this may be cut off by it; a share of the region's diagonal.
_RIM = 0.01

_WAY = {Direction.LEFT: (-1, 0), Direction.RIGHT: (1, 0), Direction.UP: (0, -1), Direction.DOWN: (0, 1)}


@dataclass(frozen=True, slots=True)
class Route:
    """Where things come in and go out: `region` in pixels, and the way that the owner names, if any."""

    region: Box
    direction: Direction

    @property
    def diagonal(self) -> float:
        """What distances are shares of."""
        return math.hypot(self.region.width, self.region.height)

    def goes_across(self, tracks: Sequence[Track]) -> bool:
        """Whether things go left or right: as the owner says, else as the furthest has gone."""
        if self.direction is not Direction.AUTO:
            return _WAY[self.direction][0] != 0
        far = max(tracks, key=lambda track: abs(track.moved_x) + abs(track.moved_y), default=None)
        if far is None or not far.is_item:
            return self.region.width >= self.region.height
        return abs(far.moved_x) >= abs(far.moved_y)

    def progress(self, track: Track) -> tuple[float, float]:
        """How far a track has come, as a share of the diagonal, and where it is on its way, 0..1."""
        x, y = middle(track.box)
        way_x, way_y = self._way(track)
        travel = (track.moved_x * way_x + track.moved_y * way_y) / self.diagonal
        share_x, share_y = (x - self.region.x) / self.region.width, (y - self.region.y) / self.region.height
        position = share_x * way_x + share_y * way_y
        return travel, position if way_x + way_y > 0 else 1 + position

    def is_past_rim(self, track: Track, now_s: float) -> bool:
        """Whether a track that was lost has gone out of the region the way it went."""
        way_x, way_y = self._way(track)
        box, region = track.expected(now_s), self.region
        if way_x:
            return box.x + box.width >= region.x + region.width if way_x > 0 else box.x <= region.x
        return box.y + box.height >= region.y + region.height if way_y > 0 else box.y <= region.y

    def is_cut_off(self, box: Box, track: Track) -> bool:
        """Whether a part of what is in the box may still lie, or lie again, beyond a rim it crosses on its way."""
        rim, region = _RIM * self.diagonal, self.region
        if self._way(track)[0]:
            return box.x < region.x + rim or box.x + box.width > region.x + region.width - rim
        return box.y < region.y + rim or box.y + box.height > region.y + region.height - rim

    def _way(self, track: Track) -> tuple[int, int]:
        if self.direction is not Direction.AUTO:
            return _WAY[self.direction]
        # By the farthest that it has been: a belt that goes back a little turns nothing round.
        if abs(track.far_x) >= abs(track.far_y):
            return (1 if track.far_x > 0 else -1), 0
        return 0, (1 if track.far_y > 0 else -1)
