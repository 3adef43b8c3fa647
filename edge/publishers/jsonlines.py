"""Decisions as lines of a file, for whatever reads files: one JSON object a line, files turned over by size."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from edge.errors import StorageError
from edge.journal import Entry, Outbox
from edge.publishers.outlet import Outlet
from edge.publishers.retry import RetrySettings


@dataclass(frozen=True, slots=True)
class JsonLinesSettings:
    """`path` is written to until it holds `max_bytes`; it then becomes `path`.1, and so on to `num_old`."""

    path: Path
    max_bytes: int = 16 * 1024 * 1024
    num_old: int = 3
    retry: RetrySettings = field(default_factory=RetrySettings)


class JsonLinesPublisher(Outlet):
    """A Publisher to a file. A full disk is a sink that is away: it is tried again, and sorting goes on."""

    def __init__(
        self,
        settings: JsonLinesSettings,
        outbox: Outbox,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self._settings = settings
        super().__init__(outbox, self._append, settings.retry, wait)

    def _append(self, entry: Entry) -> None:
        path = self._settings.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size >= self._settings.max_bytes:
                self._turn_over()
            _append_line(path, entry.record)
        except OSError as error:
            raise StorageError(f"{path}: a line cannot be written: {error.strerror}; sorting goes on") from error

    def _turn_over(self) -> None:
        path = self._settings.path
        names = [path, *(path.with_name(f"{path.name}.{age}") for age in range(1, self._settings.num_old + 1))]
        for newer, older in reversed(list(pairwise(names))):
            if newer.exists():
                newer.replace(older)
        path.unlink(missing_ok=True)


def _append_line(path: Path, line: str) -> None:
    with path.open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        if end > 0:
            file.seek(end - 1)
            if file.read(1) != b"\n":
                # The power went in the middle of a line: leave it as one bad line, not two.
                file.write(b"\n")
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
