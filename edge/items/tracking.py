"""Which item is which from frame to frame: the seam, and items that come to rest.

An item at rest begins when something has come to rest, and ends when the scene is empty or something else lies there.
A hand that passes never comes to rest, so it never becomes an item. What lies still is classified at once, so that the
answer is there when it counts as resting; if it moves on, that is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Protocol

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

from edge.items.smoothing import Gathering, SmoothingSettings
from edge.messages import Box, Item, Phase, Prediction, Presence

Embedding = NDArray[np.float32]

# The cosine from which two embeddings may be of the same thing, and how many frames in a row must be less alike. Of
# TrashNet's val pictures one in 20 is as like to another object of its class, and one in 3,000 to one of another; seen
# a quarter turn further all are as like to themselves, and 83 % of objects seen from another side. An item that was
# joined by another is as like as 0.75 to itself alone, several after a hand has reached for them 0.9.
_SAME, _SAME_MANY, _NUM_UNLIKE = 0.7, 0.8, 3


def likeness(one: Embedding, other: Embedding) -> float:
    """The cosine between two embeddings (D,); 1 where one of them says nothing."""
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths > 0 else 1.0


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


@dataclass(slots=True)
class _Decided:
    """What lies there and was decided; `look` (D,) is its embedding, None where that is not known."""

    is_many: bool
    look: Embedding | None
    has_moved: bool = False

    def is_like(self, embedding: Embedding | None, phase: Phase) -> bool:
        """Whether this may be the same still; without a look nothing can be told from it."""
        if self.look is None or embedding is None:
            return True
        # Of several one may be left, and what does not count as resting yet may turn out to be several.
        is_single = phase is Phase.SETTLED and not self.is_many
        return likeness(self.look, embedding) >= (_SAME if is_single else _SAME_MANY)


class RestTracker:
    """The one item that lies still.

    What was decided is not given again while it lies there. Once it has moved, and no arm reaches in any more, it is
    held against how it looked: what looks otherwise frame after frame has taken its place, or lies on it or beside it,
    and is the next item. Where the classifier gives no embeddings, the next one begins when the scene was empty or,
    after several at once, when something has moved: somebody took the others away.
    """

    def __init__(self, settings: SmoothingSettings) -> None:
        self._settings = settings
        self._gathering = Gathering(settings)
        self._item: Item | None = None
        self._decided: _Decided | None = None
        self._num_items = 0
        self._num_unlike = 0
        self._look_of_many: Embedding | None = None
        self._phase = Phase.EMPTY
        self._seen_since_s: float | None = None
        self._many_since_s: float | None = None
        self._best_sharpness = 0.0

    def follow(self, presence: Presence, now_s: float) -> Target | None:
        self._phase = presence.phase
        if presence.phase is Phase.EMPTY:
            self.end()
            self._many_since_s = self._seen_since_s = self._decided = None
            return None
        self._seen_since_s = now_s if self._seen_since_s is None else self._seen_since_s
        is_many = self._is_many(presence, now_s)
        is_still = presence.phase is not Phase.MOVING or presence.still_s > 0
        if not is_still:
            self._forget_candidate()
            self._note_motion(now_s)
        if self._decided is not None and not (is_still and self._may_be_another(self._decided, presence)):
            return None
        if self._item is None and is_still:
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
        if self._decided is not None and self._decided.is_like(prediction.embedding, self._phase):
            self._item, self._decided.has_moved = None, False
            return
        if self._phase is Phase.MANY:
            self._look_of_many = prediction.embedding
        else:
            self._item = self._gathering.add(self._item, prediction)
        self._num_unlike += 1
        if self._num_unlike >= _NUM_UNLIKE and (self._item.settled_s is not None or self._item.is_many):
            self._decided = None

    def waiting(self) -> tuple[Item, ...]:
        return () if self._item is None or self._is_candidate(self._item) else (self._item,)

    def close(self, item_id: int) -> None:
        item = self._item
        if item is None or item.item_id != item_id:
            return
        look = self._look_of_many if item.is_many else item.embedding
        self._decided = None if item.has_left else _Decided(item.is_many, look)
        self._item = None

    def end(self) -> None:
        self._forget_candidate()
        if self._item is not None:
            self._item = replace(self._item, has_left=True)

    def _note_motion(self, now_s: float) -> None:
        """What was decided has moved: another may have come at that moment."""
        if self._decided is None or self._decided.has_moved:
            return
        self._decided.has_moved, self._seen_since_s = True, now_s
        if self._decided.is_many and self._decided.look is None:
            self._decided = None

    def _may_be_another(self, decided: _Decided, presence: Presence) -> bool:
        """Whether what lies still now is worth to be held against what was decided."""
        return decided.has_moved and decided.look is not None and not presence.has_arm

    def _is_candidate(self, item: Item) -> bool:
        """Whether it does not lie still for long enough yet to be an item, or may be what was decided already."""
        return self._decided is not None or (item.settled_s is None and not item.is_many)

    def _forget_candidate(self) -> None:
        if self._item is not None and self._is_candidate(self._item):
            self._item = None

    def _begin(self, first_seen_s: float) -> None:
        self._num_items += 1
        self._num_unlike, self._look_of_many = 0, None
        self._best_sharpness = 0.0
        self._item = Item(self._num_items, first_seen_s)

    def _target(self, item: Item, presence: Presence) -> Target | None:
        """What lies still, when it is sharp enough; of several at once it makes no evidence, but a look."""
        if presence.phase is Phase.MOVING and not self._is_candidate(item):
            return None
        if presence.phase is Phase.MANY:
            return Target(item.item_id, presence.box)
        if self._decided is None and presence.sharpness < self._settings.min_relative_sharpness * self._best_sharpness:
            self._item = replace(item, frames_rejected=item.frames_rejected + 1)
            return None
        self._best_sharpness = max(self._best_sharpness, presence.sharpness)
        return Target(item.item_id, presence.box, self._gathering.num_turns(item))

    def _is_many(self, presence: Presence, now_s: float) -> bool:
        if presence.phase is not Phase.MANY:
            self._many_since_s = None
            return False
        self._many_since_s = now_s if self._many_since_s is None else self._many_since_s
        return now_s - self._many_since_s >= self._settings.many_after_s
