"""Writing down off the loop's thread: the loop waits for a commit, but not for a disk that hangs."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from edge.errors import SorterError, StorageError, translate
from edge.journal import Journal
from edge.messages import Actuation
from edge.records import DecisionRecord
from edge.running.problems import Problems

_log = logging.getLogger(__name__)

_SOURCE = "journal"


@dataclass(frozen=True, slots=True)
class ScribeSettings:
    """How long the loop waits for one commit, and how many may be on their way before the bin gives up.

    A worn SD card takes seconds now and then; after `patience_s` the item may be gone, so it is not moved.
    """

    patience_s: float = 1.5
    max_waiting: int = 100


class Scribe:
    """Writes into a journal on a thread of its own, in order. `write` and `arrived` are for the loop's thread.

    Raises:
        SorterError: from any method, when a decision or an outcome written earlier has failed.
    """

    def __init__(self, journal: Journal, problems: Problems, settings: ScribeSettings = ScribeSettings()) -> None:
        self._journal = journal
        self._problems = problems
        self._settings = settings
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="scribe")
        self._next_seq = journal.next_seq
        self._late: deque[tuple[DecisionRecord, Future[None]]] = deque()
        self._tasks: deque[Future[None]] = deque()

    @property
    def next_seq(self) -> int:
        """The number that the next decision gets."""
        return self._next_seq

    @property
    def is_late(self) -> bool:
        """Whether decisions wait for the disk."""
        return bool(self._late)

    def write(self, record: DecisionRecord, trace: str | None = None) -> bool:
        """Write a decision; whether it is on disk by now. If not, `arrived` gives it later."""
        if len(self._late) >= self._settings.max_waiting:
            raise StorageError(f"{self._journal.path}: {len(self._late)} decisions wait to be written; check the disk")
        commit = self._thread.submit(self._journal.append, record, trace)
        self._next_seq += 1
        # Behind one that is late there is nothing to wait for.
        if not self._late:
            try:
                commit.result(self._settings.patience_s)
            except TimeoutError:
                sentence = f"{self._journal.path}: the disk takes longer than {self._settings.patience_s:g} s to write"
                self._problems.report(_SOURCE, f"{sentence}; nothing moves until it has caught up")
                _log.warning("%s; nothing moves until it has caught up", sentence)
            else:
                return True
        self._late.append((record, commit))
        return False

    def arrived(self) -> list[DecisionRecord]:
        """The decisions that were late and are on disk by now, in order. Never blocks."""
        while self._tasks and self._tasks[0].done():
            self._tasks.popleft().result()
        records = []
        while self._late and self._late[0][1].done():
            record, commit = self._late.popleft()
            commit.result()
            records.append(record)
        if records and not self._late:
            _log.warning("%s: the disk has caught up", self._journal.path)
            self._problems.report(_SOURCE, None)
        return records

    def write_outcome(self, seq: int, actuation: Actuation, problem: str | None) -> None:
        """Write what became of a movement. Any thread; never blocks."""
        self._tasks.append(self._thread.submit(self._journal.actuated, seq, actuation, problem))

    def try_later(self, task: Callable[[], object]) -> None:
        """Do what the bin can do without, after all that was written before. Any thread; never blocks.

        A SorterError or OSError of it is a warning: nothing that is asked for from outside ends the bin.
        """
        self._tasks.append(self._thread.submit(_attempt, task))

    def close(self) -> None:
        """Write what waits, and end the thread. Blocks as long as the disk does."""
        self._thread.shutdown()
        self.arrived()


def _attempt(task: Callable[[], object]) -> None:
    try:
        task()
    except (SorterError, OSError) as error:
        _log.warning("not done: %s", error if isinstance(error, SorterError) else translate(error))
