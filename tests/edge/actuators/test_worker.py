from __future__ import annotations

import logging
import queue
import threading
from itertools import pairwise

import pytest
from gpiozero.pins.mock import MockFactory
from hypothesis import given
from hypothesis import strategies as st

from edge.actuators.gpio import PulseActuator, PulseSettings
from edge.actuators.log import LogActuator
from edge.actuators.worker import ActuationReport, ActuationThread, Command, WorkerSettings, obey
from edge.clock import ReplayClock, SystemClock
from edge.errors import ConfigError, StorageError

_PATIENCE_S = 30.0


class HeldActuator:
    """An actuator that moves for as long as the test wants, and remembers how often it was made safe."""

    def __init__(self, *, answer: bool | None = None) -> None:
        self.has_begun = threading.Event()
        self.may_end = threading.Event()
        self.num_safe = 0
        self.is_closed = False
        self._answer = answer

    def actuate(self) -> bool | None:
        self.has_begun.set()
        assert self.may_end.wait(_PATIENCE_S)
        return self._answer

    def make_safe(self) -> None:
        self.num_safe += 1

    def close(self) -> None:
        self.is_closed = True


class BrokenActuator(HeldActuator):
    def actuate(self) -> bool | None:
        raise OSError("remote I/O error")


class StuckActuator(BrokenActuator):
    """Cannot even be made safe or closed."""

    def make_safe(self) -> None:
        super().make_safe()
        raise OSError("no such device")

    def close(self) -> None:
        raise OSError("no such device")


def _no_pause(stopping: threading.Event, _pause_s: float) -> bool:
    return stopping.is_set()


def _wait_for_end(thread: ActuationThread) -> None:
    thread._thread.join(_PATIENCE_S)
    assert not thread._thread.is_alive()


def test_a_command_moves_its_bin_and_is_reported() -> None:
    reports: queue.Queue[ActuationReport] = queue.Queue()
    clock = ReplayClock()
    clock.advance_to(5.0)
    paper = HeldActuator(answer=True)
    thread = ActuationThread({"paper": paper}, clock, reports.put)
    thread.start()
    assert paper.num_safe == 1

    assert thread.submit(Command(7, "paper", decided_s=5.0))
    assert paper.has_begun.wait(_PATIENCE_S)
    clock.advance_to(5.5)
    paper.may_end.set()
    report = reports.get(timeout=_PATIENCE_S)

    assert report.seq == 7
    assert report.problem is None
    assert report.actuation.is_confirmed is True
    assert (report.actuation.started_at_s, report.actuation.finished_at_s) == (5.0, 5.5)
    thread.stop()
    assert paper.is_closed


def test_it_is_busy_until_the_pause_after_the_last_movement() -> None:
    reports: queue.Queue[ActuationReport] = queue.Queue()
    slow, has_paused = HeldActuator(), threading.Event()

    def pause(_stopping: threading.Event, _pause_s: float) -> bool:
        return has_paused.wait(_PATIENCE_S)

    thread = ActuationThread({"paper": slow}, ReplayClock(), reports.put, wait=pause)
    thread.start()
    assert not thread.is_busy
    thread.submit(Command(1, "paper", 0.0))
    assert thread.is_busy
    slow.may_end.set()
    reports.get(timeout=_PATIENCE_S)
    assert thread.is_busy
    has_paused.set()
    thread.stop()
    _wait_for_end(thread)


def test_a_slow_actuator_never_blocks_the_one_who_commands() -> None:
    reports: queue.Queue[ActuationReport] = queue.Queue()
    slow = HeldActuator()
    thread = ActuationThread({"paper": slow}, ReplayClock(), reports.put, WorkerSettings(queue_size=2), _no_pause)
    thread.start()
    thread.submit(Command(1, "paper", 0.0))
    assert slow.has_begun.wait(_PATIENCE_S)

    taken = [thread.submit(Command(seq, "paper", 0.0)) for seq in range(2, 6)]

    assert taken == [True, True, False, False]
    slow.may_end.set()
    assert [reports.get(timeout=_PATIENCE_S).seq for _ in range(3)] == [1, 2, 3]
    thread.stop()
    assert reports.empty()


def test_two_actuators_never_move_at_once_and_a_pause_lies_between(pins: MockFactory) -> None:
    names = ["paper", "metal", "glass"]
    pin_of = {"paper": 17, "metal": 27, "glass": 22}
    relays = {name: PulseActuator(PulseSettings(pin_of[name], pulse_s=0.002), pins) for name in names}
    reports: queue.Queue[ActuationReport] = queue.Queue()
    pauses: list[float] = []

    def pause(stopping: threading.Event, pause_s: float) -> bool:
        assert not any(pins.pin(pin).state for pin in pin_of.values())
        pauses.append(pause_s)
        return stopping.is_set()

    settings = WorkerSettings(min_pause_s=0.3, max_age_s=_PATIENCE_S, queue_size=12)
    thread = ActuationThread(relays, SystemClock(), reports.put, settings, pause)
    thread.start()
    for seq in range(12):
        assert thread.submit(Command(seq, names[seq % 3], decided_s=0.0))
    done = [reports.get(timeout=_PATIENCE_S).actuation for _ in range(12)]
    thread.stop()

    assert [actuation.bin for actuation in done] == names * 4
    assert all(later.started_at_s >= earlier.finished_at_s for earlier, later in pairwise(done))
    assert pauses[:11] == [0.3] * 11


def test_a_command_that_waited_too_long_is_dropped_and_said_so() -> None:
    reports: queue.Queue[ActuationReport] = queue.Queue()
    clock = ReplayClock()
    slow = HeldActuator()
    pauses: list[float] = []

    def pause(stopping: threading.Event, pause_s: float) -> bool:
        pauses.append(pause_s)
        return stopping.is_set()

    thread = ActuationThread({"paper": slow}, clock, reports.put, WorkerSettings(max_age_s=3.0), pause)
    thread.start()
    thread.submit(Command(1, "paper", decided_s=0.0))
    assert slow.has_begun.wait(_PATIENCE_S)
    thread.submit(Command(2, "paper", decided_s=0.0))
    clock.advance_to(3.1)
    slow.may_end.set()

    assert reports.get(timeout=_PATIENCE_S).actuation.commanded
    late = reports.get(timeout=_PATIENCE_S)
    assert not late.actuation.commanded
    assert late.problem == "bin paper: not moved for decision 2: 3.1 s old, 3.0 s allowed"
    thread.stop()
    assert len(pauses) == 1, "after what was not done there is nothing to recover from"


def test_what_still_waits_when_the_bin_is_switched_off_does_not_move() -> None:
    reports: queue.Queue[ActuationReport] = queue.Queue()
    slow, is_enabled = HeldActuator(), True
    thread = ActuationThread({"paper": slow}, ReplayClock(), reports.put, wait=_no_pause, may_move=lambda: is_enabled)
    thread.start()
    for seq in (1, 2):
        thread.submit(Command(seq, "paper", 0.0))
    assert slow.has_begun.wait(_PATIENCE_S)
    is_enabled = False
    slow.may_end.set()
    moved, dropped = (reports.get(timeout=_PATIENCE_S) for _ in range(2))
    assert (moved.actuation.commanded, dropped.actuation.commanded) == (True, False)
    assert "switched off before its turn came" in (dropped.problem or "")
    thread.stop()


@pytest.mark.parametrize("broken", [BrokenActuator(), StuckActuator()])
def test_an_actuator_that_fails_is_made_safe_and_the_next_command_is_done(broken: HeldActuator) -> None:
    reports: queue.Queue[ActuationReport] = queue.Queue()
    whole = HeldActuator()
    whole.may_end.set()
    thread = ActuationThread({"a": broken, "b": whole}, ReplayClock(), reports.put, wait=_no_pause)
    thread.start()
    num_safe = broken.num_safe

    thread.submit(Command(1, "a", 0.0))
    thread.submit(Command(2, "b", 0.0))

    assert reports.get(timeout=_PATIENCE_S).problem == "bin a: the actuator failed: remote I/O error"
    assert broken.num_safe == num_safe + 1
    assert reports.get(timeout=_PATIENCE_S).problem is None
    thread.stop()
    assert whole.is_closed


def test_a_movement_that_was_not_confirmed_is_a_problem() -> None:
    jammed = HeldActuator(answer=False)
    jammed.may_end.set()

    report = obey(jammed, Command(1, "paper", 0.0), ReplayClock())

    assert report.actuation.is_confirmed is False
    assert report.problem == "bin paper: the movement was not confirmed; look for a jam"


def test_stop_ends_a_pulse_reports_what_waited_and_leaves_every_line_off(pins: MockFactory) -> None:
    reports: queue.Queue[ActuationReport] = queue.Queue()
    relay = PulseActuator(PulseSettings(17, pulse_s=3600.0), pins)
    thread = ActuationThread({"paper": relay}, SystemClock(), reports.put)
    thread.start()
    thread.submit(Command(1, "paper", 0.0))
    thread.submit(Command(2, "paper", 0.0))

    thread.stop(timeout_s=_PATIENCE_S)

    told = {report.seq: report.actuation.commanded for report in (reports.get_nowait(), reports.get_nowait())}
    assert told[2] is False
    assert not pins.pin(17).state
    PulseActuator(PulseSettings(17), pins).close()


def test_stop_gives_up_an_actuator_that_hangs_after_making_it_safe(caplog: pytest.LogCaptureFixture) -> None:
    hanging = HeldActuator()
    thread = ActuationThread({"paper": hanging}, SystemClock(), lambda _report: None)
    thread.start()
    thread.submit(Command(1, "paper", 0.0))
    assert hanging.has_begun.wait(_PATIENCE_S)

    thread.stop(timeout_s=0.1)

    assert hanging.num_safe >= 2
    assert "did not come back within 0.1 s" in caplog.text
    hanging.may_end.set()


def test_a_report_that_cannot_be_written_ends_the_thread_with_every_actuator_safe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deaths: queue.Queue[BaseException | None] = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", lambda death: deaths.put(death.exc_value))

    def write(_report: ActuationReport) -> None:
        raise StorageError("the disk is full")

    actuator = HeldActuator()
    actuator.may_end.set()
    thread = ActuationThread({"paper": actuator}, ReplayClock(), write)
    thread.start()
    thread.submit(Command(1, "paper", 0.0))
    assert isinstance(deaths.get(timeout=_PATIENCE_S), StorageError), "and the bin with it"
    thread.stop()
    assert actuator.is_closed


def test_a_bin_without_actuator_is_a_mistake_in_the_config() -> None:
    thread = ActuationThread({"paper": LogActuator("paper")}, ReplayClock(), lambda _report: None)
    thread.start()

    with pytest.raises(ConfigError, match="bin 'metal'"):
        thread.submit(Command(1, "metal", 0.0))
    thread.stop()


def test_the_log_actuator_says_what_it_would_do(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    LogActuator("paper").actuate()
    assert [record.message for record in caplog.records] == ["bin paper opens and closes"]


@given(waited_s=st.lists(st.floats(0.0, 10.0), min_size=1, max_size=8))
def test_each_command_taken_gives_one_report_in_order_and_none_moves_late(waited_s: list[float]) -> None:
    reports: queue.Queue[ActuationReport] = queue.Queue()
    clock = ReplayClock()
    clock.advance_to(10.0)
    actuator = HeldActuator()
    actuator.may_end.set()
    settings = WorkerSettings(max_age_s=3.0, queue_size=len(waited_s))
    thread = ActuationThread({"paper": actuator}, clock, reports.put, settings, _no_pause)
    thread.start()

    for seq, age_s in enumerate(waited_s):
        assert thread.submit(Command(seq, "paper", decided_s=10.0 - age_s))
    told = [reports.get(timeout=_PATIENCE_S) for _ in waited_s]
    thread.stop()

    assert [report.seq for report in told] == list(range(len(waited_s)))
    assert [report.actuation.commanded for report in told] == [10.0 - (10.0 - age_s) <= 3.0 for age_s in waited_s]
