"""The seam of the trackers: which item is which from frame to frame, whether items lie still or pass."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from annotated_types import Gt, Le

from edge.messages import Box, Item, Prediction, Presence


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
