"""The records that flow from lens to bin, in the order in which they are made.

Times are seconds on the loop's monotonic clock (see `edge.clock`); they become wall time only when a
record leaves the process. Arrays are read-only, and records that hold arrays compare by identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

# A picture: (H, W, 3) uint8 RGB.
Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a network takes: (height_px, width_px, 3) uint8 RGB, squashed, not padded."""

    height_px: int = 224
    width_px: int = 224


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the frame; `x`, `y` is its upper left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture: `image` is (H, W, 3) uint8 RGB, read-only."""

    sequence: int
    captured_at_s: float
    image: Image


class Phase(StrEnum):
    """What lies before the camera."""

    EMPTY = "empty"
    MOVING = "moving"
    SETTLED = "settled"
    MANY = "many"


@dataclass(frozen=True, slots=True)
class Presence:
    """What presence sees in one frame.

    `box` is the item in frame pixels without margin, None while EMPTY, and for a frame in which the light has just
    gone or the camera was pushed; `area` is the share of the region of interest that is foreground, 0..1;
    `sharpness` is the variance of the Laplacian inside the box on the working picture, comparable only within one
    site. `things` are the separate pieces of foreground, largest first, and `region` is the region of interest, all
    in frame pixels. `still_s` is how long what is there has lain still, seconds; it is SETTLED after some of them.
    `has_arm`: something large reaches in over a rim of the picture and lies still no longer than an arm may, or the
    bin itself moves.
    """

    phase: Phase
    box: Box | None = None
    area: float = 0.0
    sharpness: float = 0.0
    things: tuple[Box, ...] = ()
    region: Box | None = None
    still_s: float = 0.0
    has_arm: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A classifier's answer for one crop: `scores` (C,) float32 sum to 1, `embedding` (D,) float32."""

    scores: NDArray[np.float32]
    embedding: NDArray[np.float32] | None = None
    invoke_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """One tick, for whoever looks on: `box`, `item_id` and `prediction` are None where nothing was classified.

    `box` is what was classified, in frame pixels without margin; None also means the whole frame. `num_turns` says by
    how many quarters it was turned (`preprocess.turned`).
    """

    frame: Frame
    presence: Presence
    item_id: int | None = None
    box: Box | None = None
    prediction: Prediction | None = None
    num_turns: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """The most that further frames could make of each class, all (C,).

    `confidence` is its smoothed score, `margin` that score's lead over the next class, `agreeing` how
    many frames would have it on top.
    """

    confidence: NDArray[np.floating]
    margin: NDArray[np.floating]
    agreeing: NDArray[np.integer]


class Evidence(Protocol):
    """Scores of one item over time, from one frame on; a value, never changed."""

    @property
    def scores(self) -> NDArray[np.float32]:
        """The smoothed scores, (C,), which sum to 1."""
        ...

    @property
    def wins(self) -> NDArray[np.int64]:
        """Of the frames that count, how many have each class on top, (C,)."""
        ...

    def add(self, scores: NDArray[np.float32]) -> Evidence:
        """The evidence with one more frame's scores, (C,)."""
        ...

    def reach(self, num_more: int) -> Reach:
        """The most that up to `num_more` further frames could make of each class."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One thing from entry to exit, with the evidence gathered so far.

    `scores` (C,) float32 is the smoothed evidence, None before the first usable frame; `agreeing` is
    how many of the used frames have the smoothed winner on top, `held` how many frames ago it took
    the lead; `embedding` (D,) is the mean over the used frames. `has_passed`: the item has come to where
    the decision must fall, and no frame will follow.
    """

    item_id: int
    first_seen_s: float
    settled_s: float | None = None
    frames_used: int = 0
    frames_rejected: int = 0
    agreeing: int = 0
    scores: NDArray[np.float32] | None = None
    is_many: bool = False
    has_left: bool = False
    has_passed: bool = False
    held: int = 0
    evidence: Evidence | None = None
    embedding: NDArray[np.float32] | None = None


class Outcome(StrEnum):
    """How an item's story ended."""

    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    MULTIPLE = "multiple"
    LEFT_EARLY = "left_early"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Decision:
    """The one answer for one item.

    `label` is the best guess also when the outcome is not ACCEPTED (None without evidence); `bin` is
    where the item goes, None to leave it where it is; `reason` is a sentence for a person.
    """

    item_id: int
    outcome: Outcome
    label: str | None
    bin: str | None
    confidence: float
    margin: float
    reason: str
    first_seen_s: float
    settled_s: float | None
    decided_s: float
    frames_used: int
    frames_rejected: int
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Actuation:
    """What an actuator did for one decision. `is_confirmed` is None where nothing can confirm it."""

    bin: str
    commanded: bool
    is_confirmed: bool | None
    started_at_s: float
    finished_at_s: float
