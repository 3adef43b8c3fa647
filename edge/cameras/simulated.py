"""Rendered items that come, rest and go before a simulated camera: a bin without a bin.

The pictures lie in a folder with an index, `scenes.json`:

    {"schema": 1, "empty": "empty.jpg", "items": [{"file": "can.jpg", "label": "metal", "box": [x, y, w, h]}]}

All have one size; `box` is the item in pixels.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.cameras.film import Still
from edge.errors import InvalidDataError, MissingInputError
from edge.messages import Box, Image
from edge.preprocess import load_picture
from edge.simulation.lens import Conditions, Lens

Floats = NDArray[np.float32]

SCENES = Path(__file__).parent / "scenes"
INDEX = "scenes.json"

# A fixed camera indoors: slow lamp, a little sensor noise, its own JPEG; nothing blurs or shakes it,
# so that an item at rest is the rendered picture itself.
STEADY = Conditions(
    exposure_drift=0.03, drift_period_s=40.0, cast=0.01, flicker=0.003, jitter_px=0.0, blur_px=0.0, jpeg_quality=88
)

# Ratios of pictures mean nothing where there is hardly light; grey levels.
_MIN_LIGHT = 8.0
# How far around its box an item changes the light: its shadow, as a share of the box's longer side.
_SHADOW_REACH = 0.35


class _IndexedItem(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    file: str
    label: str = Field(min_length=1)
    box: tuple[int, int, int, int]


class _Index(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_version: Literal[1] = Field(alias="schema")
    empty: str
    items: tuple[_IndexedItem, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True, eq=False)
class StagedItem:
    """An item as it rests: the whole `picture` with it, and the `box` around it."""

    label: str
    file: str
    picture: Image
    box: Box


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """The empty scene, and each item in it; all pictures have one size."""

    empty: Image
    items: tuple[StagedItem, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """One item's visit, in seconds since the film began; `item_index` and directions say how it looks.

    It comes from `entry_deg` and goes towards `exit_deg`, both measured from the picture's right, clockwise.
    """

    label: str
    source: str
    enters: float
    settled: float
    leaves: float
    gone: float
    item_index: int = field(repr=False)
    entry_deg: float = field(repr=False)
    exit_deg: float = field(repr=False)

    def truth(self) -> dict[str, str | float]:
        """The visit as an event of a truth file."""
        record: dict[str, str | float] = asdict(self)
        return {name: record[name] for name in ("label", "source", "enters", "settled", "leaves", "gone")}


def load_stage(folder: Path = SCENES) -> Stage:
    """The pictures of a scenes folder.

    Raises:
        MissingInputError: the folder, its index or one of its pictures is not there.
        InvalidDataError: the index is not of schema 1, a picture cannot be decoded, or does not fit the index.
    """
    path = folder / INDEX
    if not path.is_file():
        raise MissingInputError(f"no {INDEX} in {folder}: expected a folder of rendered scenes")
    try:
        index = _Index.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InvalidDataError(f"{path} is no scenes index of schema 1: {where}: {first['msg']}") from error
    empty = load_picture(folder / index.empty)
    return Stage(empty, tuple(_load_item(folder, item, empty.shape) for item in index.items))


def _load_item(folder: Path, item: _IndexedItem, shape: tuple[int, ...]) -> StagedItem:
    picture = load_picture(folder / item.file)
    if picture.shape != shape:
        found, expected = (f"{each[1]}x{each[0]}" for each in (picture.shape, shape))
        raise InvalidDataError(f"{folder / item.file} is {found}, but the empty scene is {expected}: render both alike")
    box = Box(*item.box)
    is_inside = min(item.box) >= 0 and box.x + box.width <= shape[1] and box.y + box.height <= shape[0]
    if not is_inside or box.width == 0 or box.height == 0:
        raise InvalidDataError(f"{folder / INDEX}: the box {list(item.box)} of {item.file} is not inside its picture")
    return StagedItem(item.label, item.file, picture, box)


class SimulatedFilm:
    """`num_items` visits, one after another, every item of the stage once before one comes again.

    The same seed gives the same film to the byte. While an item rests, the film shows its rendered
    picture through the lens; while it moves, its light and shadow are carried over the empty scene.
    """

    def __init__(
        self,
        stage: Stage,
        num_items: int = 12,
        *,
        rate_hz: float = 12.0,
        seed: int = 1,
        conditions: Conditions = STEADY,
        lead_s: float = 2.0,
    ) -> None:
        self._stage = stage
        self._rate_hz = rate_hz
        self._seed = seed
        self._conditions = conditions
        self.visits = _plan(stage, num_items, lead_s, np.random.default_rng([seed, 0]))
        self.duration_s = (self.visits[-1].gone if self.visits else 0.0) + lead_s

    @property
    def num_frames(self) -> int:
        return int(self.duration_s * self._rate_hz)

    def play(self) -> Generator[Still, None, None]:
        lens = Lens(self._conditions, np.random.default_rng([self._seed, 1]), shift_at_s=0.0)
        beginnings = [visit.enters for visit in self.visits]
        empty = self._stage.empty.astype(np.float32)
        carried = _Carried(self._stage, empty)
        for frame_index in range(self.num_frames):
            at_s = frame_index / self._rate_hz
            visit_index = bisect_right(beginnings, at_s) - 1
            scene = empty if visit_index < 0 else carried.scene(self.visits[visit_index], at_s)
            image = lens.photograph(scene.copy(), at_s)  # the lens works in place
            image.setflags(write=False)
            yield at_s, image


class _Carried:
    """The scene while an item visits; keeps what was worked out for the visit that is on."""

    def __init__(self, stage: Stage, empty: Floats) -> None:
        self._stage = stage
        self._empty = empty
        self._item_index = -1
        self._light = self._resting = empty

    def scene(self, visit: Visit, at_s: float) -> Floats:
        """The ideal picture at `at_s`, float32 0..255."""
        if not visit.enters <= at_s < visit.gone:
            return self._empty
        item = self._stage.items[visit.item_index]
        if visit.item_index != self._item_index:
            self._item_index = visit.item_index
            self._resting = item.picture.astype(np.float32)
            self._light = _light_of(item, self._empty, self._resting)
        if visit.settled <= at_s < visit.leaves:
            return self._resting
        x, y = _offset(visit, at_s, _way_out(item.box, self._empty.shape))
        height, width = self._empty.shape[:2]
        moved = cv2.warpAffine(
            self._light,
            np.array([[1, 0, x], [0, 1, y]], np.float32),
            (width, height),
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(1, 1, 1),
        )
        return self._empty * np.asarray(moved, dtype=np.float32)


def _plan(stage: Stage, num_items: int, lead_s: float, rng: np.random.Generator) -> tuple[Visit, ...]:
    visits: list[Visit] = []
    waiting: list[int] = []
    now_s = lead_s
    for _ in range(num_items):
        waiting = waiting or [int(index) for index in rng.permutation(len(stage.items))]
        item = stage.items[waiting[-1]]
        settled_s = now_s + rng.uniform(0.25, 0.5)
        leaves_s = settled_s + rng.uniform(1.6, 2.4)
        gone_s = leaves_s + rng.uniform(0.25, 0.5)
        visit = Visit(
            item.label,
            item.file,
            enters=round(now_s, 3),
            settled=round(settled_s, 3),
            leaves=round(leaves_s, 3),
            gone=round(gone_s, 3),
            item_index=waiting.pop(),
            entry_deg=rng.uniform(0, 360),
            exit_deg=rng.uniform(0, 360),
        )
        visits.append(visit)
        now_s = gone_s + rng.uniform(0.8, 1.6)
    return tuple(visits)


def _light_of(item: StagedItem, empty: Floats, resting: Floats) -> Floats:
    """What the item does to the light of the empty scene, (H, W, 3): 1 where it does nothing."""
    margin = round(_SHADOW_REACH * max(item.box.width, item.box.height))
    near = np.zeros(empty.shape[:2], np.float32)
    top, left = max(0, item.box.y - margin), max(0, item.box.x - margin)
    near[top : item.box.y + item.box.height + margin, left : item.box.x + item.box.width + margin] = 1
    near = np.asarray(cv2.GaussianBlur(near, (0, 0), max(1.0, margin / 3)), dtype=np.float32)
    ratio = np.maximum(resting, _MIN_LIGHT) / np.maximum(empty, _MIN_LIGHT)
    return (1 + (ratio - 1) * near[..., None]).astype(np.float32)


def _way_out(box: Box, shape: tuple[int, ...]) -> float:
    """How far an item must move, whatever the direction, to be out of the picture with its shadow; pixels."""
    return float(np.hypot(shape[0], shape[1])) / 2 + max(box.width, box.height)


def _offset(visit: Visit, at_s: float, way_out_px: float) -> tuple[float, float]:
    """Where the item is, relative to its place of rest: it slows down as it comes, and speeds up as it goes."""
    if at_s < visit.settled:
        away, degrees = (visit.settled - at_s) / (visit.settled - visit.enters), visit.entry_deg
    else:
        away, degrees = (at_s - visit.leaves) / (visit.gone - visit.leaves), visit.exit_deg
    distance_px = way_out_px * away**1.5
    return distance_px * float(np.cos(np.radians(degrees))), distance_px * float(np.sin(np.radians(degrees)))
