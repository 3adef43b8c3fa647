"""What the page may see of a bin: the seams towards journal, pictures, camera and model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.classifiers.base import Classifier
from edge.journal import Entry, Filter
from edge.messages import Image, InputSpec, Sight
from edge.publishers.commands import RemoteCommand
from edge.running.telemetry import Telemetry
from edge.web.tally import Tally

# A loop that ticks puts several a second; a camera that is away puts none.
_PAST_AFTER_S = 3.0


class Decisions(Protocol):
    """The journal, as far as the page reads and corrects it; any thread."""

    def decisions(self, which: Filter = ..., limit: int = ..., *, newest_first: bool = ...) -> list[Entry]: ...
    def find(self, id_or_seq: str) -> Entry | None: ...
    def counts(self) -> Mapping[str, int]: ...
    def correct(self, id_or_seq: str, label: str | None) -> Entry: ...


class ItemPictures(Protocol):
    """The item of each kept decision as a JPEG; any thread."""

    def find(self, record_id: str) -> bytes | None:
        """The picture of that decision; None when it was not kept, or had to make room."""
        ...

    def ids(self) -> Sequence[str]:
        """The decisions that have a picture, newest first."""
        ...


class Teacher(Protocol):
    """Teaches the bin a class from a few pictures; see `calibration`."""

    def teach(self, label: str, images: Sequence[Image]) -> str:
        """Learn what `images`, (H, W, 3) uint8 RGB, show; gives sentences for the owner, one a line.

        Raises:
            SorterError: it could not be learned or written.
        """
        ...


class Controls(Protocol):
    """What may be changed while the bin runs; see `edge.running.controls`. Any thread."""

    @property
    def is_enabled(self) -> bool:
        """Whether the bin moves what it decides."""
        ...

    @property
    def unknown_threshold(self) -> float:
        """The confidence, 0..1, below which an item is unknown."""
        ...

    def ask(self, command: RemoteCommand) -> bool:
        """Have `command` obeyed between two ticks; False when too many wait already."""
        ...


class SightSlot:
    """The newest sight, for whoever watches. The loop puts, and never waits; any thread takes."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._put_at_s = now_s()
        self._newest: Sight | None = None
        self._classified: Sight | None = None

    def put(self, sight: Sight) -> None:
        """Replace what was seen before. From the loop's thread: a few assignments, no lock."""
        self._put_at_s = self._now_s()
        self._newest = sight
        if sight.prediction is not None:
            self._classified = sight

    @property
    def newest(self) -> Sight | None:
        """The last tick; None before the first."""
        return self._newest

    @property
    def is_past(self) -> bool:
        """Whether the newest one is no more what lies there now."""
        return self._now_s() - self._put_at_s > _PAST_AFTER_S

    @property
    def classified(self) -> Sight | None:
        """The last tick in which an item was classified."""
        return self._classified


@dataclass(frozen=True, slots=True)
class Work:
    """A bin at work: its loop's timings, what it sees, what it decided, and what is wrong now.

    `tally` has heard of every decision since the page began.
    """

    telemetry: Telemetry
    sights: SightSlot
    tally: Tally
    journal: Decisions
    pictures: ItemPictures | None = None
    problems: Callable[[], Sequence[str]] = list
    teacher: Teacher | None = None
    controls: Controls | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Everything that the page shows; without `work` it is a page to try a model on.

    `input_spec` is what the network takes. `open_classifier` makes a classifier of the page's own: the loop's serves
    one thread only.
    """

    name: str
    model: str
    labels: tuple[str, ...]
    input_spec: InputSpec
    open_classifier: Callable[[], Classifier]
    site: str | None = None
    work: Work | None = None
