"""Items that pass and never rest, on a belt or down a chute: several at once, each decided once.

Things are followed from frame to frame by where their box must be now; one that has only just come is expected
to go as the one before it went. A thing becomes an item once it has gone some way. Two that touch are one thing
for a while: both are then carried on at their own speed, and neither is classified.

From one frame in which they are seen to the next, things must go less than half the way to the thing before them:
of an even row that goes further nobody can say which is which.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge.messages import Box, Item, Prediction, Presence
from edge.smoothing import Gathering, SmoothingSettings
from edge.tracking import Direction, ItemSettings, Target

# Shares of the region's diagonal. What went less far is a stain, a shadow or noise.
_MIN_TRAVEL = 0.08
# A piece that is cut off from its item by a glint lies at most this far from it.
_MAX_GAP = 0.03
# What lies abreast this close comes to the line at once: an item with its shadow or reflection, or two that
# nothing could sort apart. Abreast: this share of the shorter one's length on the way.
_ABREAST_GAP = 0.08
_ABREAST = 0.5
# Without any overlap, the same thing is looked for within this distance: fast items in few frames.
_MAX_JUMP = 0.3
# A box nearer to the rim than this may be cut off by it.
_RIM = 0.01
# Of the smaller box: what must overlap to be the same thing.
_MIN_OVERLAP = 0.3
# Pieces are of one item when together they are at most this many times as long as it was when seen in one piece.
_MAX_STRETCH = 1.25
# How long an item may be out of sight and be the same one, seconds.
_LOST_S = 0.3
# Share of the newest movement in the speed.
_SPEED_WEIGHT = 0.5

_WAY = {Direction.LEFT: (-1, 0), Direction.RIGHT: (1, 0), Direction.UP: (0, -1), Direction.DOWN: (0, 1)}


@dataclass(slots=True)
class _Track:
    """One thing on its way: `box` is where it is, or must be; pixels, and pixels a second.

    `width` and `height` are the greatest that it had when it was seen in one piece.
    """

    item: Item
    box: Box
    seen_s: float
    width: int
    height: int
    moved_x: float = 0.0
    moved_y: float = 0.0
    speed_x: float = 0.0
    speed_y: float = 0.0
    num_seen: int = 1
    is_alone: bool = True
    is_item: bool = False
    is_decided: bool = False

    def expected(self, now_s: float, usual_speed: tuple[float, float] = (0.0, 0.0)) -> Box:
        """Where the box must be by now. What was seen only once goes at the usual speed, x and y."""
        speed_x, speed_y = (self.speed_x, self.speed_y) if self.num_seen > 1 else usual_speed
        elapsed_s = now_s - self.seen_s
        return replace(self.box, x=self.box.x + round(speed_x * elapsed_s), y=self.box.y + round(speed_y * elapsed_s))

    def is_around(self, pieces: Sequence[Box]) -> bool:
        """Whether these may all be pieces of this one thing."""
        box = _around(pieces)
        return box.width <= _MAX_STRETCH * self.width and box.height <= _MAX_STRETCH * self.height

    def see(self, pieces: Sequence[Box], region: Box, now_s: float) -> None:
        """The thing was found, on its own, as these pieces."""
        box, elapsed_s = _around(pieces), now_s - self.seen_s
        if elapsed_s > 0:
            step_x = _step(self.box.x, self.box.width, box.x, box.width, region.x, region.width)
            step_y = _step(self.box.y, self.box.height, box.y, box.height, region.y, region.height)
            self.moved_x, self.moved_y = self.moved_x + step_x, self.moved_y + step_y
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
        self.moved_x, self.moved_y = self.moved_x + expected.x - self.box.x, self.moved_y + expected.y - self.box.y
        self.box, self.seen_s, self.is_alone = expected, now_s, False


class PassingTracker:
    """All items in sight. Of the things in one frame at most one is classified: that with the fewest frames."""

    def __init__(self, items: ItemSettings, smoothing: SmoothingSettings) -> None:
        self._line = items.line
        self._direction = items.direction
        self._gathering = Gathering(smoothing)
        self._tracks: list[_Track] = []
        self._region = Box(0, 0, 1, 1)
        self._num_items = 0
        self._usual_speed = (0.0, 0.0)

    def follow(self, presence: Presence, now_s: float) -> Target | None:
        self._region = presence.region or self._region
        expected = [track.expected(now_s, self._usual_speed) for track in self._tracks]
        things = self._groups(presence.things)
        owners = [self._owners(thing, expected) for thing in things]
        self._part(things, owners, expected)
        self._find_jumped(things, owners, expected)
        for index, track in enumerate(self._tracks):
            own = [thing for thing, of in zip(things, owners, strict=True) if of == [index]]
            if own:
                track.see(own, self._region, now_s)
            elif any(index in of for of in owners):
                track.carry_on(now_s)
        for thing, of in zip(things, owners, strict=True):
            if not of:
                self._begin(thing, now_s)
        self._judge(now_s)
        return self._target(now_s)

    def add(self, target: Target, prediction: Prediction) -> None:
        track = self._track_of(target.item_id)
        if track is None or track.is_decided:
            raise RuntimeError(f"a prediction for item {target.item_id}, which does not wait: follow() must come first")
        track.item = self._gathering.add(track.item, prediction)

    def waiting(self) -> tuple[Item, ...]:
        due = [track.item for track in self._tracks if track.is_item and not track.is_decided]
        return tuple(item for item in due if item.has_passed or item.has_left)

    def close(self, item_id: int) -> None:
        track = self._track_of(item_id)
        if track is not None:
            track.is_decided = True

    def end(self) -> None:
        for track in self._tracks:
            if not track.item.has_passed:
                track.item = replace(track.item, has_left=True)

    def _track_of(self, item_id: int) -> _Track | None:
        return next((track for track in self._tracks if track.item.item_id == item_id), None)

    def _begin(self, thing: Box, now_s: float) -> None:
        self._num_items += 1
        self._tracks.append(_Track(Item(self._num_items, now_s), thing, now_s, thing.width, thing.height))

    def _owners(self, thing: Box, expected: Sequence[Box]) -> list[int]:
        """Which tracks a thing belongs to: those it overlaps, else the one it was cut off from."""
        owners = [index for index, box in enumerate(expected) if _overlap(thing, box) >= _MIN_OVERLAP]
        if owners:
            return owners
        # What comes in at a rim is a new thing, however near the last one still is.
        gaps = [
            (_gap(thing, box), index)
            for index, box in enumerate(expected)
            if not self._is_cut_off(thing, self._tracks[index])
        ]
        return [index for gap, index in sorted(gaps)[:1] if gap <= _MAX_GAP * self._diagonal]

    def _groups(self, things: Sequence[Box]) -> list[Box]:
        """The things, those that lie abreast as one."""
        groups: list[Box] = []
        for thing in things:
            abreast = [group for group in groups if self._are_abreast(thing, group)]
            groups = [group for group in groups if group not in abreast]
            groups.append(_around([thing, *abreast]))
        return groups

    def _are_abreast(self, first: Box, second: Box) -> bool:
        if _gap(first, second) > _ABREAST_GAP * self._diagonal:
            return False
        if self._goes_across():
            common, shorter = _common(first.x, first.width, second.x, second.width), min(first.width, second.width)
        else:
            common, shorter = _common(first.y, first.height, second.y, second.height), min(first.height, second.height)
        return common >= _ABREAST * shorter

    def _goes_across(self) -> bool:
        """Whether things go left or right: as the owner says, else as the furthest has gone."""
        if self._direction is not Direction.AUTO:
            return _WAY[self._direction][0] != 0
        far = max(self._tracks, key=lambda track: abs(track.moved_x) + abs(track.moved_y), default=None)
        if far is None or not far.is_item:
            return self._region.width >= self._region.height
        return abs(far.moved_x) >= abs(far.moved_y)

    def _part(self, things: Sequence[Box], owners: list[list[int]], expected: Sequence[Box]) -> None:
        """Set free what was given to a track and cannot be a piece of it; changes `owners`."""
        for index, track in enumerate(self._tracks):
            own = [at for at, of in enumerate(owners) if of == [index]]
            own.sort(key=lambda at: (self._may_be_new(track, things[at]), -_likeness(things[at], expected[index])))
            for at in own[1:]:
                if not track.is_around([things[own[0]], things[at]]):
                    owners[at] = []
            is_elsewhere = any(not of and not self._is_cut_off(things[at], track) for at, of in enumerate(owners))
            if own and self._may_be_new(track, things[own[0]]) and is_elsewhere:
                owners[own[0]] = []

    def _find_jumped(self, things: Sequence[Box], owners: list[list[int]], expected: Sequence[Box]) -> None:
        """Give what belongs to nothing to the tracks that were not found either, nearest first; changes `owners`."""
        found = {index for of in owners for index in of}
        pairs = sorted(
            (self._may_be_new(track, thing), math.dist(_middle(thing), _middle(expected[index])), index, at)
            for index, track in enumerate(self._tracks)
            for at, thing in enumerate(things)
            if index not in found and not owners[at] and self._goes_on(track, thing)
        )
        for _, distance, index, at in pairs:
            if index not in found and not owners[at] and distance <= _MAX_JUMP * self._diagonal:
                owners[at] = [index]
                found.add(index)

    def _may_be_new(self, track: _Track, thing: Box) -> bool:
        """Whether a thing has as likely come in at a rim as from where the track was seen, once.

        In the middle of the region nothing begins: what lies there must have been somewhere before.
        """
        return track.num_seen == 1 and not any(self._usual_speed) and self._is_cut_off(thing, track)

    def _goes_on(self, track: _Track, thing: Box) -> bool:
        """Whether going to `thing` is no way back, against the speed that the track has."""
        (x, y), (from_x, from_y) = _middle(thing), _middle(track.box)
        return (x - from_x) * track.speed_x + (y - from_y) * track.speed_y >= 0

    def _judge(self, now_s: float) -> None:
        """Which tracks are items, which of those have passed, and which are gone."""
        kept = []
        for track in self._tracks:
            travel, position = self._progress(track)
            track.is_item = track.is_item or travel >= _MIN_TRAVEL
            is_lost = now_s - track.seen_s > _LOST_S
            is_beyond = position >= self._line or (is_lost and self._is_past_rim(track, now_s))
            if track.is_item and is_beyond and not track.item.has_passed:
                track.item = replace(track.item, has_passed=True)
            elif is_lost and not track.item.has_passed:
                track.item = replace(track.item, has_left=True)
            if track.is_item and track.is_alone:
                self._usual_speed = (track.speed_x, track.speed_y)
            if not is_lost or (track.is_item and not track.is_decided):
                kept.append(track)
        self._tracks = kept

    def _progress(self, track: _Track) -> tuple[float, float]:
        """How far a track has come, as a share of the diagonal, and where it is on its way, 0..1."""
        x, y = _middle(track.box)
        way_x, way_y = self._way(track)
        travel = (track.moved_x * way_x + track.moved_y * way_y) / self._diagonal
        share_x, share_y = (x - self._region.x) / self._region.width, (y - self._region.y) / self._region.height
        position = share_x * way_x + share_y * way_y
        return travel, position if way_x + way_y > 0 else 1 + position

    def _way(self, track: _Track) -> tuple[int, int]:
        if self._direction is not Direction.AUTO:
            return _WAY[self._direction]
        if abs(track.moved_x) >= abs(track.moved_y):
            return (1 if track.moved_x > 0 else -1), 0
        return 0, (1 if track.moved_y > 0 else -1)

    def _is_past_rim(self, track: _Track, now_s: float) -> bool:
        """Whether the lost track has gone out of the region the way it went."""
        way_x, way_y = self._way(track)
        box, region = track.expected(now_s), self._region
        if way_x:
            return box.x + box.width >= region.x + region.width if way_x > 0 else box.x <= region.x
        return box.y + box.height >= region.y + region.height if way_y > 0 else box.y <= region.y

    def _target(self, now_s: float) -> Target | None:
        fit = [
            track
            for track in self._tracks
            if track.seen_s == now_s
            and track.is_alone
            and track.num_seen > 1
            and not track.is_decided
            and not self._is_cut_off(track.box, track)
        ]
        if not fit:
            return None
        track = min(fit, key=lambda one: one.item.frames_used)
        return Target(track.item.item_id, track.box, self._gathering.num_turns(track.item))

    def _is_cut_off(self, box: Box, track: _Track) -> bool:
        """Whether a part of what is in the box may still lie, or lie again, beyond a rim it crosses on its way."""
        rim, region = _RIM * self._diagonal, self._region
        if self._way(track)[0]:
            return box.x < region.x + rim or box.x + box.width > region.x + region.width - rim
        return box.y < region.y + rim or box.y + box.height > region.y + region.height - rim

    @property
    def _diagonal(self) -> float:
        return math.hypot(self._region.width, self._region.height)


def _middle(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2


def _around(boxes: Sequence[Box]) -> Box:
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    right, bottom = max(box.x + box.width for box in boxes), max(box.y + box.height for box in boxes)
    return Box(left, top, right - left, bottom - top)


def _overlap(first: Box, second: Box) -> float:
    """The common area as a share of the smaller box."""
    width = _common(first.x, first.width, second.x, second.width)
    height = _common(first.y, first.height, second.y, second.height)
    smaller = min(first.width * first.height, second.width * second.height)
    return width * height / max(1, smaller)


def _likeness(first: Box, second: Box) -> float:
    """The common area as a share of the area that either covers."""
    width = _common(first.x, first.width, second.x, second.width)
    height = _common(first.y, first.height, second.y, second.height)
    common = width * height
    return common / max(1, first.width * first.height + second.width * second.height - common)


def _common(start: int, length: int, other_start: int, other_length: int) -> int:
    """The length that two intervals share."""
    return max(0, min(start + length, other_start + other_length) - max(start, other_start))


def _gap(first: Box, second: Box) -> float:
    """The shortest way from one box to the other, 0 when they touch."""
    across = max(first.x, second.x) - min(first.x + first.width, second.x + second.width)
    down = max(first.y, second.y) - min(first.y + first.height, second.y + second.height)
    return math.hypot(max(0, across), max(0, down))


def _step(start: int, length: int, new_start: int, new_length: int, rim: int, room: int) -> float:
    """How far an interval went, by those of its ends that are not cut off at a rim of the region.

    The middle of something that comes in at a rim goes half as fast as the thing itself.
    """
    steps = []
    if min(start, new_start) > rim:
        steps.append(new_start - start)
    if max(start + length, new_start + new_length) < rim + room:
        steps.append(new_start + new_length - start - length)
    return sum(steps) / len(steps) if steps else new_start + new_length / 2 - start - length / 2
