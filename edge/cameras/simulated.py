"""A film of rendered items that fall into a bin one after another, shown as a camera: a bin without a bin.

It lies in a folder as `film.mp4` with its truth, `film.json` (see `edge.truth.scoring`), which also says how many
frames a second it has, what each item is, and where it rests in pixels:

    {"schema": 1, "seconds": 50.5, "rate_hz": 12, "events": [{"label": "metal", "source": "can",
      "enters": 1.5, "settled": 2.25, "leaves": 4.25, "gone": 5.0, "box": [x, y, width, height]}]}

It ends as it begins, with an empty bin in the same light, and is shown in a loop.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from edge.cameras.film import Still
from edge.cameras.replay import VideoFile
from edge.errors import InvalidDataError, MissingInputError, first_problem
from edge.messages import Image
from edge.simulation.lens import Conditions, Lens
from edge.truth.scoring import Seconds, Truth, TruthEvent

SCENES = Path(__file__).parent / "scenes"
FILM, INDEX = "film.mp4", "film.json"

# A fixed camera indoors. The film's light changes by itself; what is added is another day's: a slow drift, the
# sensor's noise, and the camera's own JPEG. Nothing blurs or shakes it.
STEADY = Conditions(
    exposure_drift=0.03, drift_period_s=40.0, cast=0.01, flicker=0.003, jitter_px=0.0, blur_px=0.0, jpeg_quality=88
)
# The bin is empty for so long before the film begins: time to look at the empty scene, as a person would leave.
LEAD_S = 3.0
# Sums of frame times are a little less than what they stand for; frames.
_ROUNDING = 1e-6


class FilmedItem(TruthEvent, frozen=True, strict=True):
    """One item's visit: seconds since the film began, and the `box` (x, y, width, height) in which it rests."""

    source: str
    box: tuple[int, int, int, int]


class Reel(BaseModel, frozen=True, strict=True):
    """What a film shows."""

    schema_version: Literal[1] = Field(alias="schema")
    seconds: Annotated[Seconds, Field(gt=0)]
    rate_hz: Annotated[int, Field(gt=0, le=240)]
    events: Annotated[tuple[FilmedItem, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Scenes:
    """A film that is there, and what it shows."""

    film: Path
    reel: Reel


def load_scenes(folder: Path = SCENES) -> Scenes:
    """The film of a folder.

    Raises:
        MissingInputError: the folder, its index or its film is not there.
        InvalidDataError: the index is not of schema 1, or its visits are not one after another within the film.
    """
    path = folder / INDEX
    for each in (path, folder / FILM):
        if not each.is_file():
            raise MissingInputError(f"no {each.name} in {folder}: expected a folder with a rendered film and its truth")
    try:
        reel = Reel.model_validate_json(path.read_bytes())
        Truth(events=reel.events, seconds=reel.seconds)
    except ValidationError as error:
        raise InvalidDataError(f"{path} is no film's truth of schema 1: {first_problem(error)}") from error
    return Scenes(folder / FILM, reel)


class SimulatedFilm:
    """The film until `num_items` have come and gone, from its beginning again where there are more.

    The same seed gives the same pictures to the byte; another one gives another light and other noise.
    """

    def __init__(
        self,
        scenes: Scenes,
        num_items: int = 12,
        *,
        rate_hz: float = 12.0,
        seed: int = 1,
        conditions: Conditions = STEADY,
    ) -> None:
        self._scenes = scenes
        self._rate_hz = rate_hz
        self._seed = seed
        self._conditions = conditions
        self._num_items = num_items
        self.duration_s = _visit(scenes.reel, num_items).enters

    @property
    def visits(self) -> tuple[FilmedItem, ...]:
        """All items, made at each call: those of a bin that runs for years are not to be held."""
        return tuple(_visit(self._scenes.reel, index) for index in range(self._num_items))

    def truth(self) -> Truth:
        """What there is to decide."""
        return Truth(events=self.visits, seconds=self.duration_s)

    def play(self) -> Generator[Still, None, None]:
        """Show it.

        Raises:
            VideoError: FFmpeg cannot read the film.
        """
        lens = Lens(self._conditions, np.random.default_rng([self._seed, 1]), shift_at_s=0.0)
        looped = self._looped()
        num_read, picture = 0, np.empty((0, 0, 3), np.uint8)
        for frame_index in range(int(self.duration_s * self._rate_hz + _ROUNDING)):
            at_s = frame_index / self._rate_hz
            while num_read <= int(max(0.0, at_s - LEAD_S) * self._scenes.reel.rate_hz + _ROUNDING):
                picture, num_read = next(looped), num_read + 1
            image = lens.photograph(picture.astype(np.float32), at_s)
            image.setflags(write=False)
            yield at_s, image

    def _looped(self) -> Generator[Image, None, None]:
        while True:
            for _, image in VideoFile(self._scenes.film).play():
                yield image


def _visit(reel: Reel, index: int) -> FilmedItem:
    """The visit of that number, counted on through all the showings."""
    num_shown, event_index = divmod(index, len(reel.events))
    return reel.events[event_index].later(LEAD_S + num_shown * reel.seconds)
