"""Which of the things in a frame are which of those on their way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.items.boxes import around, common, gap, intersection_over_union, middle, overlap
from edge.items.passing.route import Route
from edge.items.passing.track import Track
from edge.messages import Box

# Of the smaller box: what must overlap to be the same thing.
_MIN_OVERLAP = 0.3
# Shares of the region's diagonal. A piece that is cut off from its item by a glint lies at most this far from it.
_MAX_GAP = 0.03
# Without any overlap, the same thing is looked for within this distance: fast items in few frames.
_MAX_JUMP = 0.3
# What lies abreast this close comes to the line at once: an item with its shadow or reflection, or two that
# nothing could sort apart. Abreast: this share of the shorter one's length on the way.
_ABREAST_GAP = 0.08
_ABREAST = 0.5
# What is this many times as long is no shadow or reflection: a stripe of sun along the belt, a rail that trembles.
_FAR_LONGER = 6
# What begins in the middle of the region, nearer to a thing than that is long, and has less than this share of its
# area, came off it: a glint, a part of its shadow. A thing of its own would have been seen to come in.
_SMALL_PART = 0.2


@dataclass(frozen=True, slots=True)
class Matching:
    """The things of a frame, what lies abreast as one, and for each the indices of the tracks that it belongs to.

    `joined` are tracks that turned out to be a part of another one.
    """

    things: list[Box]
    owners: list[list[int]]
    joined: set[int] = field(default_factory=set)

    def pieces(self, index: int) -> list[Box]:
        """The things that are this track and no other."""
        return [thing for thing, of in zip(self.things, self.owners, strict=True) if of == [index]]

    def touches(self, index: int) -> bool:
        """Whether the track is in one thing with another."""
        return any(index in of for of in self.owners)

    def join(self, was_whole: Sequence[bool]) -> None:
        """Make one of the tracks that are in one thing before any was whole: corners of what is coming into view."""
        first_of: dict[int, int] = {}
        for of in self.owners:
            if len(of) > 1 and not any(was_whole[index] for index in of):
                first_of.update(dict.fromkeys(of, min(of)))
        for of in self.owners:
            of[:] = sorted({first_of.get(index, index) for index in of})
        self.joined.update(index for index, first in first_of.items() if index != first)

    def newcomers(self) -> list[Box]:
        """The things that are none of the tracks."""
        return [thing for thing, of in zip(self.things, self.owners, strict=True) if not of]


class Matcher:
    """Matches one frame. What was seen only once is looked for where it must be at the `usual_speed`, x and y."""

    def __init__(self, tracks: Sequence[Track], route: Route, usual_speed: tuple[float, float], now_s: float) -> None:
        self._tracks = tracks
        self._route = route
        self._knows_speed = any(usual_speed)
        self._expected = [track.expected(now_s, usual_speed) for track in tracks]

    def match(self, seen: Sequence[Box]) -> Matching:
        """Which of the things seen are which tracks."""
        things = self._groups(seen)
        matching = Matching(things, [self._owners(thing) for thing in things])
        self._part(matching)
        self._find_jumped(matching)
        self._leave_out_parts(matching)
        return matching

    def _groups(self, things: Sequence[Box]) -> list[Box]:
        """The things, those that lie abreast as one."""
        groups: list[Box] = []
        for thing in things:
            abreast = [group for group in groups if self._are_abreast(thing, group)]
            groups = [group for group in groups if group not in abreast]
            groups.append(around([thing, *abreast]))
        return groups

    def _are_abreast(self, first: Box, second: Box) -> bool:
        if gap(first, second) > _ABREAST_GAP * self._route.diagonal:
            return False
        if self._route.goes_across(self._tracks):
            shared = common(first.x, first.width, second.x, second.width)
            shorter, longer = sorted((first.width, second.width))
        else:
            shared = common(first.y, first.height, second.y, second.height)
            shorter, longer = sorted((first.height, second.height))
        return shared >= _ABREAST * shorter and longer < _FAR_LONGER * shorter

    def _owners(self, thing: Box) -> list[int]:
        """Which tracks a thing belongs to: those it overlaps, else the one it was cut off from."""
        owners = [index for index, box in enumerate(self._expected) if overlap(thing, box) >= _MIN_OVERLAP]
        if owners:
            return owners
        # What comes in at a rim is a new thing, however near the last one still is.
        gaps = [
            (gap(thing, box), index)
            for index, (box, track) in enumerate(zip(self._expected, self._tracks, strict=True))
            if not self._route.is_cut_off(thing, track)
        ]
        return [index for distance, index in sorted(gaps)[:1] if distance <= _MAX_GAP * self._route.diagonal]

    def _part(self, matching: Matching) -> None:
        """Set free what was given to a track and cannot be a piece of it; changes the owners."""
        things, owners = matching.things, matching.owners
        for index, (track, expected) in enumerate(zip(self._tracks, self._expected, strict=True)):
            own = [at for at, of in enumerate(owners) if of == [index]]
            own.sort(
                key=lambda at: (self._may_be_new(track, things[at]), -intersection_over_union(things[at], expected))
            )
            for at in own[1:]:
                if not track.is_around([things[own[0]], things[at]]):
                    owners[at] = []
            is_elsewhere = any(not of and not self._route.is_cut_off(things[at], track) for at, of in enumerate(owners))
            if own and self._may_be_new(track, things[own[0]]) and is_elsewhere:
                owners[own[0]] = []

    def _find_jumped(self, matching: Matching) -> None:
        """Give what belongs to nothing to the tracks that were not found either, nearest first; changes the owners."""
        things, owners = matching.things, matching.owners
        found = {index for of in owners for index in of}
        pairs = sorted(
            (self._may_be_new(track, thing), math.dist(middle(thing), middle(expected)), index, at)
            for index, (track, expected) in enumerate(zip(self._tracks, self._expected, strict=True))
            for at, thing in enumerate(things)
            if index not in found and not owners[at] and _goes_on(track, thing)
        )
        for _, distance, index, at in pairs:
            if index not in found and not owners[at] and distance <= _MAX_JUMP * self._route.diagonal:
                owners[at] = [index]
                found.add(index)

    def _leave_out_parts(self, matching: Matching) -> None:
        """Forget what belongs to nothing and came off a thing on its way; changes things and owners."""
        for at in reversed(range(len(matching.things))):
            if not matching.owners[at] and self._came_off_another(matching.things[at]):
                del matching.things[at], matching.owners[at]

    def _came_off_another(self, thing: Box) -> bool:
        return any(
            thing.width * thing.height < _SMALL_PART * box.width * box.height
            and gap(thing, box) < max(box.width, box.height)
            and not self._route.is_cut_off(thing, track)
            for box, track in zip(self._expected, self._tracks, strict=True)
        )

    def _may_be_new(self, track: Track, thing: Box) -> bool:
        """Whether a thing has as likely come in at a rim as from where the track was seen, once.

        In the middle of the region nothing begins: what lies there must have been somewhere before.
        """
        return track.num_seen == 1 and not self._knows_speed and self._route.is_cut_off(thing, track)


def _goes_on(track: Track, thing: Box) -> bool:
    """Whether going to `thing` is no way back, against the speed that the track has."""
    (x, y), (from_x, from_y) = middle(thing), middle(track.box)
    return (x - from_x) * track.speed_x + (y - from_y) * track.speed_y >= 0
