"""Each item that passes is decided once: when its middle crosses the line, or when it has gone out of sight."""

from __future__ import annotations

from dataclasses import replace

from edge.items.passing.matching import Matcher
from edge.items.passing.route import Route
from edge.items.passing.track import Track
from edge.items.smoothing import Gathering, SmoothingSettings
from edge.items.tracking import ItemSettings, Target
from edge.messages import Box, Item, Prediction, Presence

# Share of the region's diagonal. What went less far is a stain, a shadow or noise.
_MIN_TRAVEL = 0.08
# How long an item may be out of sight and be the same one, seconds.
_LOST_S = 0.3


class PassingTracker:
    """All items in sight. Of the things in one frame at most one is classified: that with the fewest frames."""

    def __init__(self, items: ItemSettings, smoothing: SmoothingSettings) -> None:
        self._line = items.line
        self._gathering = Gathering(smoothing)
        self._tracks: list[Track] = []
        self._route = Route(Box(0, 0, 1, 1), items.direction)
        self._num_items = 0
        self._usual_speed = (0.0, 0.0)

    def follow(self, presence: Presence, now_s: float) -> Target | None:
        self._route = replace(self._route, region=presence.region or self._route.region)
        matching = Matcher(self._tracks, self._route, self._usual_speed, now_s).match(presence.things)
        matching.join([track.was_whole for track in self._tracks])
        for index, track in enumerate(self._tracks):
            pieces = matching.pieces(index)
            if pieces:
                track.see(pieces, self._route.region, now_s)
            elif matching.touches(index):
                track.carry_on(now_s)
            track.was_whole = track.was_whole or not self._route.is_cut_off(track.box, track)
        self._tracks = [track for index, track in enumerate(self._tracks) if index not in matching.joined]
        for thing in matching.newcomers():
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

    def _track_of(self, item_id: int) -> Track | None:
        return next((track for track in self._tracks if track.item.item_id == item_id), None)

    def _begin(self, thing: Box, now_s: float) -> None:
        self._num_items += 1
        self._tracks.append(
            Track.begin(Item(self._num_items, now_s), thing, self._route.region, self._usual_speed, now_s)
        )

    def _judge(self, now_s: float) -> None:
        """Which tracks are items, which of those have passed, and which are gone."""
        kept = []
        for track in self._tracks:
            travel, position = self._route.progress(track)
            track.is_item = track.is_item or travel >= _MIN_TRAVEL
            is_lost = now_s - track.seen_s > _LOST_S
            is_beyond = position >= self._line or (is_lost and self._route.is_past_rim(track, now_s))
            if track.is_item and is_beyond and not track.item.has_passed:
                track.item = replace(track.item, has_passed=True)
            elif is_lost and not track.item.has_passed:
                track.item = replace(track.item, has_left=True)
            if track.is_item and track.is_alone:
                self._usual_speed = (track.speed_x, track.speed_y)
            if not is_lost or (track.is_item and not track.is_decided):
                kept.append(track)
        self._tracks = kept

    def _target(self, now_s: float) -> Target | None:
        fit = [
            track
            for track in self._tracks
            if track.seen_s == now_s
            and track.is_alone
            and track.num_seen > 1
            and not track.is_decided
            and not self._route.is_cut_off(track.box, track)
        ]
        if not fit:
            return None
        track = min(fit, key=lambda one: one.item.frames_used)
        return Target(track.item.item_id, track.box, self._gathering.num_turns(track.item))
