from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.clock import ReplayClock, rfc3339
from edge.config import Config
from edge.doctor.bin import writes
from edge.doctor.finding import Level
from edge.journal import IN_MEMORY, Journal
from edge.running.day_budget import WRITES_KEY, DayBudget, DayWrites, written_bytes
from edge.running.problems import Problems
from tests.edge.records import a_record

MB = 1_000_000
DAY_S = 24 * 3600.0


MORNING = datetime(2026, 11, 21, 8, tzinfo=UTC)


class MorningClock(ReplayClock):
    """Begins at eight."""

    def wall(self, at_s: float) -> datetime:
        return MORNING + timedelta(seconds=at_s)


class Disk:
    """A kernel's count, and a bin that keeps within 10 MB of it a day."""

    def __init__(self) -> None:
        self.written = 7 * MB  # by whatever the process did before
        self.clock = MorningClock()
        self.journal = Journal(IN_MEMORY, self.clock)
        self.problems = Problems()
        self.num_kept = 0
        self.budget = self.new_budget()

    def new_budget(self) -> DayBudget:
        return DayBudget(10 * MB, self.clock, self.journal, self._later, self.problems, lambda: self.written)

    def _later(self, task: Callable[[], object]) -> None:
        self.num_kept += 1
        task()

    def write(self, num_bytes: int, after_s: float = 60.0) -> bool:
        """Whether the day is spent after it."""
        self.written += num_bytes
        self.clock.advance_to(self.clock.now_s() + after_s)
        self.budget.attend()
        return self.budget.is_spent


def test_a_day_that_is_spent_is_said_once_and_ends_with_the_day() -> None:
    disk = Disk()
    told: list[list[str]] = []
    disk.problems.listen(told.append)
    assert [disk.write(num_mb * MB) for num_mb in (9, 1, 3)] == [False, True, True]
    assert [len(problems) for problems in told] == [0, 1]
    assert "10 MB were written today" in told[-1][0]

    assert not disk.write(1 * MB, after_s=DAY_S)
    assert told[-1] == []
    assert DayWrites.parse(disk.journal.remembered(WRITES_KEY)) == DayWrites("2026-11-22", 1 * MB, 13 * MB)


def test_a_restart_in_the_middle_of_the_day_does_not_begin_anew() -> None:
    disk = Disk()
    disk.write(6 * MB)
    disk.budget.close()
    disk.written = 0  # another process

    disk.budget = disk.new_budget()

    assert disk.write(4 * MB)


def test_a_clock_that_begins_the_same_day_anew_at_each_boot_spends_it_each_time() -> None:
    disk = Disk()
    disk.clock.advance_to(3600.0)
    disk.journal.append(replace(a_record(1), ts=rfc3339(disk.clock.wall(3600.0))))
    assert disk.write(10 * MB)
    disk.budget.close()

    disk.clock = MorningClock()
    disk.budget = disk.new_budget()

    assert not disk.write(9 * MB)
    assert disk.write(1 * MB)
    assert DayWrites.parse(disk.journal.remembered(WRITES_KEY)) == DayWrites("2026-11-21", 10 * MB, 10 * MB)


def test_a_day_that_begins_by_deleting_is_remembered() -> None:
    disk = Disk()
    disk.write(6 * MB)
    disk.write(-2 * MB, after_s=DAY_S)
    assert DayWrites.parse(disk.journal.remembered(WRITES_KEY)) == DayWrites("2026-11-22", 0, 6 * MB)
    assert disk.write(10 * MB)


def test_counting_writes_little_itself() -> None:
    disk = Disk()
    for _ in range(100):
        disk.write(MB // 100)
    assert disk.num_kept <= 2


def test_what_an_older_or_damaged_journal_remembers_begins_anew() -> None:
    for text in (None, "", "2026-11-21", "2026-11-21 many", "2026-11-21 -5", "2026-11-21 1 2 3"):
        assert DayWrites.parse(text) is None
    kept = DayWrites("2026-11-21", 5)
    assert DayWrites.parse(kept.to_text()) == kept


def test_the_kernels_count_leaves_out_what_never_reached_the_disk(tmp_path: Path) -> None:
    (tmp_path / "io").write_text("rchar: 9\nwrite_bytes: 8192\ncancelled_write_bytes: 4096\n", encoding="ascii")
    assert written_bytes(tmp_path / "io") == 4096
    assert written_bytes(tmp_path / "none") == 0
    before = written_bytes()
    with (tmp_path / "file").open("wb") as file:
        file.write(bytes(MB))
        file.flush()
    assert written_bytes() >= before


@pytest.mark.parametrize(("num_bytes", "level"), [(3 * MB, Level.OK), (300 * MB, Level.WARNING)])
def test_the_doctor_tells_what_the_bin_writes_a_day(tmp_path: Path, num_bytes: int, level: Level) -> None:
    config = Config.model_validate({"journal": {"path": tmp_path / "journal.sqlite"}})
    assert list(writes(config)) == []
    journal = Journal(tmp_path / "journal.sqlite", MorningClock())
    journal.append(a_record(1))
    journal.remember(WRITES_KEY, DayWrites("2026-11-21", num_bytes, 2 * MB).to_text())
    journal.close()

    (finding,) = writes(config, MORNING)

    assert finding.level is level
    assert f"{num_bytes / MB:.1f} MB today (decisions: " in finding.found
    assert f"{num_bytes / MB / (481 / 1440):.0f} MB by midnight" in finding.found
    assert "2.0 MB on its last day; at most 268 MB a day" in finding.found
