"""Single pictures of the simulated camera's film: the empty bin, and each item at rest."""

from __future__ import annotations

from dataclasses import dataclass

from edge.cameras.replay import VideoFile
from edge.cameras.simulated import FilmedItem, Scenes, load_scenes
from edge.messages import Box, Image


@dataclass(frozen=True, slots=True, eq=False)
class StagedItem:
    """An item as it rests: the whole `picture` with it, and the `box` around it."""

    label: str
    source: str
    picture: Image
    box: Box


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """The empty scene, and each item in it; all pictures have one size."""

    empty: Image
    items: tuple[StagedItem, ...]


def load_stage(scenes: Scenes | None = None) -> Stage:
    """The shipped film's pictures, or another's."""
    scenes = scenes or load_scenes()
    rate_hz = scenes.reel.rate_hz
    # One frame later than the truth says, so that rounding does not give one in which it still moves.
    wanted = {round(event.settled * rate_hz) + 1: event for event in scenes.reel.events}
    items: list[StagedItem] = []
    empty: Image | None = None
    for index, (_, image) in enumerate(VideoFile(scenes.film).play()):
        empty = image if empty is None else empty
        if index in wanted:
            items.append(_staged(wanted[index], image))
    assert empty is not None
    return Stage(empty, tuple(items))


def _staged(event: FilmedItem, picture: Image) -> StagedItem:
    return StagedItem(event.label, event.source, picture, Box(*event.box))
