"""What a bin writes to its disk in a day, and what it leaves out when that would wear a card out too soon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edge.clock import Clock, rfc3339
from edge.journal import Journal
from edge.journal.entries import LAST
from edge.running.problems import Problems

# Where the journal remembers it.
WRITES_KEY = "writes"

_SOURCE = "writes"
_MB = 1_000_000
# Reading the kernel's count costs 20 us, and a day's budget is not spent in a moment.
_LOOK_EVERY_S = 10.0
# What a crash may forget of the day; keeping it costs some 5 kB.
_KEEP_EVERY_BYTES = _MB


@dataclass(frozen=True, slots=True)
class DayWrites:
    """Bytes written on `day` (UTC, 2026-11-21) so far, and on the day on which the bin wrote before that."""

    day: str
    num_bytes: int = 0
    num_bytes_before: int | None = None

    @classmethod
    def parse(cls, text: str | None) -> DayWrites | None:
        """What `to_text` wrote; None for anything else."""
        day, *numbers = (text or "").split(" ")
        if len(numbers) not in (1, 2) or not all(number.isdecimal() for number in numbers):
            return None
        return cls(day, *map(int, numbers))

    def to_text(self) -> str:
        """As the journal remembers it."""
        before = "" if self.num_bytes_before is None else f" {self.num_bytes_before}"
        return f"{self.day} {self.num_bytes}{before}"

    def on(self, day: str) -> DayWrites:
        """The same when it is `day`: another day begins with nothing."""
        return self if day == self.day else DayWrites(day, 0, self.num_bytes)


def written_bytes(io: Path = Path("/proc/self/io")) -> int:
    """What this process has sent to disks since it began, all files; 0 where the kernel does not count."""
    try:
        lines = io.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    counts = dict(line.split(": ") for line in lines)
    # What was deleted before it reached the disk has worn nothing out.
    return int(counts["write_bytes"]) - int(counts["cancelled_write_bytes"])


class DayBudget:
    """Counts what the bin writes in a day, across restarts, and says when `max_bytes` of it are spent.

    Decisions are always written; pictures and traces are left out while it `is_spent`, which any thread may ask. Where
    the clock has gone back since the last run, another day begins.
    `attend` and `close` are for the loop's thread. `later` does what takes a disk; `written` gives the bytes
    that the process has written since it began.
    """

    def __init__(
        self,
        max_bytes: int,
        clock: Clock,
        journal: Journal,
        later: Callable[[Callable[[], object]], None],
        problems: Problems,
        written: Callable[[], int] = written_bytes,
    ) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._journal = journal
        self._later = later
        self._problems = problems
        self._written = written
        self._last_written = written()
        self._looked_at_s = clock.now_s()
        noted = DayWrites.parse(journal.remembered(WRITES_KEY)) or DayWrites(self._today())
        # Without a battery a clock may begin the same day anew at each boot, which would be spent for good.
        self._writes = replace(noted, day="") if self._has_gone_back() else noted
        self._kept_bytes = self._writes.num_bytes
        self._look()

    @property
    def is_spent(self) -> bool:
        """Whether no more than decisions shall be written before tomorrow."""
        return self._writes.num_bytes >= self._max_bytes

    def attend(self) -> None:
        """Look whether the day, or what was written, has gone on. Never blocks; for every tick."""
        now_s = self._clock.now_s()
        if now_s - self._looked_at_s >= _LOOK_EVERY_S:
            self._looked_at_s = now_s
            self._look()

    def close(self) -> None:
        """Keep the last count; close it before what does `later`."""
        self._look()
        self._keep()

    def _look(self) -> None:
        written, before = self._written(), self._writes.day
        today = self._writes.on(self._today())
        # Less than before where files of yesterday went that had not reached the disk.
        self._writes = replace(today, num_bytes=max(0, today.num_bytes + written - self._last_written))
        self._last_written = written
        if today.day != before or self._writes.num_bytes - self._kept_bytes >= _KEEP_EVERY_BYTES:
            self._keep()
        spent = f"{self._max_bytes / _MB:.0f} MB were written today, as much as journal.max_bytes_a_day allows"
        self._problems.report(
            _SOURCE,
            f"{spent}: decisions are kept, pictures and explanations not before tomorrow" if self.is_spent else None,
        )

    def _keep(self) -> None:
        kept = self._writes
        self._kept_bytes = kept.num_bytes
        self._later(lambda: self._journal.remember(WRITES_KEY, kept.to_text()))

    def _has_gone_back(self) -> bool:
        """Whether the clock stands before the newest decision."""
        newest = self._journal.find(LAST)
        return newest is not None and newest.ts > rfc3339(self._clock.wall(self._clock.now_s()))

    def _today(self) -> str:
        return self._clock.wall(self._clock.now_s()).date().isoformat()
