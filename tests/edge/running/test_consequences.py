"""Written down, then moved, then told, and every word of it true, also when the disk hangs."""

from __future__ import annotations

import json
import queue
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.actuators.log import LogActuator
from edge.actuators.worker import ActuationReport, ActuationThread, Command
from edge.clock import ReplayClock
from edge.errors import StorageError
from edge.journal import Journal
from edge.messages import Actuation
from edge.records import DecisionRecord, Recorder, ReplayedIds
from edge.running.consequences import Consequences, Outcomes
from edge.running.problems import Problems
from edge.running.scribe import Scribe, ScribeSettings
from tests.edge.records import a_decision

_PATIENCE_S = 30.0


@dataclass
class Dispatched:
    """A dispatcher that keeps what it is given, and has room for as much as it is told."""

    room: int = 100
    commands: list[Command] = field(default_factory=list)

    def start(self) -> None:
        pass

    def submit(self, command: Command) -> bool:
        if len(self.commands) >= self.room:
            return False
        self.commands.append(command)
        return True

    def stop(self, timeout_s: float = 5.0) -> None:
        pass


class Bench:
    """Consequences on a real journal."""

    def __init__(self, path: Path, patience_s: float = _PATIENCE_S, max_waiting: int = 100) -> None:
        clock = ReplayClock()
        self.path = path
        self.journal = Journal(path, clock)
        self.problems = Problems()
        self.scribe = Scribe(self.journal, self.problems, ScribeSettings(patience_s, max_waiting))
        self.outcomes = Outcomes(self.scribe, clock, self.problems)
        self.dispatched = Dispatched()
        self.told: list[DecisionRecord] = []
        self.may_move = True
        self._recorder = Recorder(clock, ReplayedIds(), "trashnet-lite0@3f2a")
        self.consequences = self.new(self.dispatched)

    def new(self, dispatcher: Dispatched | None) -> Consequences:
        return Consequences(
            self.scribe,
            self._recorder,
            dispatcher,
            [self.told.append],
            may_move=lambda: self.may_move,
            trace_of=lambda decision: f'{{"item":{decision.item_id}}}',
            on_report=self.outcomes,
        )

    def close(self) -> None:
        self.scribe.close()
        self.journal.close()

    def written(self) -> list[tuple[int, bool]]:
        """seq and `commanded` of all that stands in the journal, once it has caught up."""
        done = queue.Queue[None]()
        self.scribe.try_later(lambda: done.put(None))
        done.get(timeout=_PATIENCE_S)
        return [(entry.seq, json.loads(entry.record)["commanded"]) for entry in self.journal.decisions()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "journal.sqlite")
    yield bench
    bench.close()


@contextmanager
def hanging_disk(path: Path) -> Generator[None]:
    """Another connection is in the middle of its commit: to the bin it looks like a card that takes its time."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_decision_is_written_with_its_trace_then_moved_then_told(bench: Bench) -> None:
    bench.consequences(a_decision(7))

    (entry,) = bench.journal.decisions()
    assert entry.trace == '{"item":7}'
    assert [command.seq for command in bench.dispatched.commands] == [1]
    assert [record.commanded for record in bench.told] == [True]


def test_a_decision_without_a_bin_commands_nothing(bench: Bench) -> None:
    bench.consequences(a_decision(bin_name=None))

    assert bench.dispatched.commands == []
    assert bench.written() == [(1, False)]
    assert not bench.told[0].commanded


def test_a_rehearsal_commands_nothing_and_says_so(bench: Bench) -> None:
    bench.new(None)(a_decision())

    assert bench.written() == [(1, False)]
    assert not bench.told[0].commanded


def test_a_bin_that_is_switched_off_decides_but_moves_nothing(bench: Bench) -> None:
    bench.may_move = False
    bench.consequences(a_decision())

    assert bench.dispatched.commands == []
    assert bench.written() == [(1, False)]


def test_what_the_actuators_have_no_room_for_is_not_called_commanded(bench: Bench) -> None:
    bench.dispatched.room = 1
    bench.consequences(a_decision(1))
    bench.consequences(a_decision(2))

    assert [record.commanded for record in bench.told] == [True, False]
    assert bench.written() == [(1, True), (2, False)]
    assert "still busy" in (bench.journal.decisions()[1].problem or "")


def test_while_the_disk_hangs_the_loop_goes_on_nothing_moves_and_one_problem_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path / "journal.sqlite", patience_s=0.01)
    with hanging_disk(bench.path):
        for item in range(1, 4):
            bench.consequences(a_decision(item))
        assert bench.told == []
        assert len(bench.problems.sentences()) == 1
        assert "disk takes longer" in bench.problems.sentences()[0]
        assert sum("nothing moves" in record.message for record in caplog.records) == 1
    assert bench.written() == [(1, True), (2, True), (3, True)]

    bench.consequences.catch_up()

    assert [(record.seq, record.commanded) for record in bench.told] == [(1, False), (2, False), (3, False)]
    assert bench.written() == [(1, False), (2, False), (3, False)]
    assert bench.dispatched.commands == []
    assert bench.problems.sentences() == []
    bench.close()


def test_a_disk_that_hangs_for_too_long_ends_the_bin(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "journal.sqlite", patience_s=0.0, max_waiting=2)
    with hanging_disk(bench.path):
        bench.consequences(a_decision(1))
        bench.consequences(a_decision(2))
        with pytest.raises(StorageError, match="2 decisions wait to be written"):
            bench.consequences(a_decision(3))
    bench.close()


def test_what_became_of_a_movement_is_told_written_and_a_problem_until_the_next_one_goes_well(bench: Bench) -> None:
    lines: list[str] = []
    bench.outcomes.listen(lines.append)
    for seq in (1, 2):
        bench.consequences(a_decision(seq))

    bench.outcomes(ActuationReport(1, Actuation("paper", True, False, 1.0, 2.0), "bin paper: look for a jam"))  # noqa: FBT003
    assert bench.problems.sentences() == ["bin paper: look for a jam"]
    bench.outcomes(ActuationReport(2, Actuation("paper", False, None, 3.0, 3.0), "bin paper: not moved"))  # noqa: FBT003
    assert bench.problems.sentences() == ["bin paper: look for a jam"], "what was not begun says nothing of the flap"
    bench.outcomes(ActuationReport(2, Actuation("paper", True, True, 4.0, 5.0)))  # noqa: FBT003
    assert bench.problems.sentences() == []

    told = [json.loads(line) for line in lines]
    assert [(one["seq"], one["commanded"], one["confirmed"]) for one in told] == [
        (1, True, False),
        (2, False, None),
        (2, True, True),
    ]
    assert told[0]["event_type"] == "actuation"
    assert bench.written() == [(1, True), (2, True)]
    assert bench.journal.decisions()[0].problem == "bin paper: look for a jam"


def test_a_hanging_disk_does_not_keep_the_actuators_from_the_next_movement(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "journal.sqlite")
    reports: queue.Queue[int] = queue.Queue()
    bench.outcomes.listen(lambda line: reports.put(json.loads(line)["seq"]))
    thread = ActuationThread({"paper": LogActuator("paper")}, ReplayClock(), bench.outcomes)
    thread.start()
    with hanging_disk(bench.path):
        for seq in (1, 2):
            thread.submit(Command(seq, "paper", 0.0))
        assert [reports.get(timeout=_PATIENCE_S) for _ in range(2)] == [1, 2]
    thread.stop()
    bench.close()
