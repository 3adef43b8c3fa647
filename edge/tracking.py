"""Which item is which from frame to frame: the seam, and items that come to rest.

An item at rest begins when something has come to rest and ends when the scene is empty (presence says so
only after a moment of emptiness). A hand that passes never comes to rest, so it never becomes an item. What lies
still is classified at once, so that the answer is there when it counts as resting; if it moves on, that is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Protocol

from annotated_types import Gt, Le

from edge.messages import Box, Item, Phase, Prediction, Presence
from edge.smoothing import Gathering, SmoothingSettings


class Mode(StrEnum):
    """How items come: they lie still, or they pass and never rest."""

    REST = "rest"
    PASSING = "passing"


class Direction(StrEnum):
    """Which way items pass; `auto` follows each item's own way."""

    AUTO = "auto"
    LEFT = "left"
    RIGHT = "right"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class ItemSettings:
    """What an item is. For items that pass, the decision falls when their middle crosses `line`.

    `line` is a share of the region of interest along the way they go: 0 where they come in, 1 where they go
    out; at 1 the decision falls when they have gone out of sight.
    """

    mode: Mode = Mode.REST
    line: Annotated[float, Gt(0), Le(1)] = 0.5
    direction: Direction = Direction.AUTO


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be classified in the newest frame: the crop of `box`, after `num_turns` of `preprocess.turned`."""

    item_id: int
    box: Box | None
    num_turns: int = 0


class Tracker(Protocol):
    """Holds the items that wait for a decision. For every frame: `follow`, classify `target`, decide `waiting`."""

    def follow(self, presence: Presence, now_s: float) -> Target | None:
        """Take what presence saw; what to classify in this very frame, None when nothing is worth it."""
        ...

    def add(self, target: Target, prediction: Prediction) -> None:
        """The answer for the target that `follow` just named."""
        ...

    def waiting(self) -> tuple[Item, ...]:
        """The items for which a decision may fall now, in the order in which they came."""
        ...

    def close(self, item_id: int) -> None:
        """That item was decided: it is never given again."""
        ...

    def end(self) -> None:
        """The source has ended: whatever still waits has left."""
        ...


class RestTracker:
    """The one item that lies still.

    A decided item is not given again before the scene was empty. After several at once it is enough
    that something moved: somebody took the others away.
    """

    def __init__(self, settings: SmoothingSettings) -> None:
        self._settings = settings
        self._gathering = Gathering(settings)
        self._item: Item | None = None
        self._num_items = 0
        self._is_decided = False
        self._wakes_on_motion = False
        self._seen_since_s: float | None = None
        self._many_since_s: float | None = None
        self._best_sharpness = 0.0

    def follow(self, presence: Presence, now_s: float) -> Target | None:
        if presence.phase is Phase.EMPTY:
            self._forget_scene()
            self.end()
            return None
        self._seen_since_s = now_s if self._seen_since_s is None else self._seen_since_s
        if self._wakes_on_motion and presence.phase is Phase.MOVING:
            self._is_decided = self._wakes_on_motion = False
            self._seen_since_s = now_s
        is_many = self._is_many(presence, now_s)
        is_still = presence.phase is Phase.SETTLED or presence.still_s > 0
        if self._is_candidate() and not is_still:
            self._item = None
        if self._item is None and not self._is_decided and (is_still or is_many):
            self._begin(self._seen_since_s)
        if self._item is None:
            return None
        if is_many:
            self._item = replace(self._item, is_many=True)
        if presence.phase is Phase.SETTLED and self._item.settled_s is None:
            self._item = replace(self._item, settled_s=now_s)
        return self._target(self._item, presence)

    def add(self, target: Target, prediction: Prediction) -> None:
        if self._item is None or self._item.item_id != target.item_id:
            raise RuntimeError(f"a prediction for item {target.item_id}, which does not wait: follow() must come first")
        self._item = self._gathering.add(self._item, prediction)

    def waiting(self) -> tuple[Item, ...]:
        return () if self._item is None or self._is_candidate() else (self._item,)

    def close(self, item_id: int) -> None:
        if self._item is None or self._item.item_id != item_id:
            return
        self._is_decided = not self._item.has_left
        self._wakes_on_motion = self._item.is_many
        self._item = None

    def end(self) -> None:
        if self._is_candidate():
            self._item = None
        if self._item is not None:
            self._item = replace(self._item, has_left=True)

    def _is_candidate(self) -> bool:
        """Whether something lies still, but not for long enough yet to be an item."""
        return self._item is not None and self._item.settled_s is None and not self._item.is_many

    def _begin(self, first_seen_s: float) -> None:
        self._num_items += 1
        self._best_sharpness = 0.0
        self._item = Item(self._num_items, first_seen_s)

    def _target(self, item: Item, presence: Presence) -> Target | None:
        """A single item that lies still, when it is sharp enough."""
        is_early = presence.phase is Phase.MOVING and self._is_candidate()
        if item.is_many or not (presence.phase is Phase.SETTLED or is_early):
            return None
        if presence.sharpness < self._settings.min_relative_sharpness * self._best_sharpness:
            self._item = replace(item, frames_rejected=item.frames_rejected + 1)
            return None
        self._best_sharpness = max(self._best_sharpness, presence.sharpness)
        return Target(item.item_id, presence.box, self._gathering.num_turns(item))

    def _forget_scene(self) -> None:
        self._many_since_s = self._seen_since_s = None
        self._is_decided = self._wakes_on_motion = False

    def _is_many(self, presence: Presence, now_s: float) -> bool:
        if presence.phase is not Phase.MANY:
            self._many_since_s = None
            return False
        self._many_since_s = now_s if self._many_since_s is None else self._many_since_s
        return now_s - self._many_since_s >= self._settings.many_after_s
