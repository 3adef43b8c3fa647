"""One movement at a time, off the loop's thread: a slow or stuck flap never holds up the camera."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from edge.actuators.base import Actuator
from edge.clock import Clock
from edge.errors import ConfigError
from edge.messages import Actuation

_log = logging.getLogger(__name__)

_STOP_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Command:
    """Move the actuator of `bin` for decision `seq`, which is in the journal already."""

    seq: int
    bin: str
    decided_s: float


@dataclass(frozen=True, slots=True)
class ActuationReport:
    """What became of a command; `problem` is a sentence for a person, None when all went well."""

    seq: int
    actuation: Actuation
    problem: str | None = None


class Dispatcher(Protocol):
    """Takes commands from the loop, and gives exactly one report for each that it took."""

    def start(self) -> None:
        """Put every actuator into its safe position and take commands from now on."""
        ...

    def submit(self, command: Command) -> bool:
        """Hand over a command without blocking; False when too many wait, and it will not be done.

        Raises:
            ConfigError: the bin has no actuator.
        """
        ...

    @property
    def is_busy(self) -> bool:
        """Whether something moves or is about to, the pause after it included. From any thread."""
        ...

    def stop(self, timeout_s: float = 5.0) -> None:
        """Make every actuator safe at once, report what was waiting as not done, free the hardware."""
        ...


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Bounds of the actuation thread.

    `min_pause_s` lies between two movements, so that a hand can follow and a supply recover. A command
    older than `max_age_s` when its turn comes is not done: the item may be gone, another may lie there.
    """

    min_pause_s: float = 0.2
    max_age_s: float = 3.0
    queue_size: int = 4


class ActuationThread:
    """A Dispatcher with a thread of its own, from which `on_report` is called.

    An actuator that raises is made safe and reported; the next command is tried again. `wait` pauses
    the thread, and returns early when the event is set. `may_move` is asked again when a command's turn has come:
    who switches the bin off to reach into it must not be surprised.
    """

    def __init__(
        self,
        actuators: Mapping[str, Actuator],
        clock: Clock,
        on_report: Callable[[ActuationReport], None],
        settings: WorkerSettings = WorkerSettings(),
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
        *,
        may_move: Callable[[], bool] = lambda: True,
    ) -> None:
        self._actuators = actuators
        self._clock = clock
        self._on_report = on_report
        self._settings = settings
        self._wait = wait
        self._may_move = may_move
        self._commands: queue.Queue[Command | None] = queue.Queue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="actuation", daemon=True)

    def start(self) -> None:
        make_all_safe(self._actuators)
        self._thread.start()

    def submit(self, command: Command) -> bool:
        _check_bin(self._actuators, command)
        if self._commands.qsize() >= self._settings.queue_size:
            return False
        self._commands.put_nowait(command)
        return True

    @property
    def is_busy(self) -> bool:
        return self._commands.unfinished_tasks > 0

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stopping.set()
        self._commands.put_nowait(None)
        deadline_s = self._clock.now_s() + timeout_s
        # Again and again: a movement that was just beginning is then cut short as well.
        make_all_safe(self._actuators)
        while self._thread.is_alive() and self._clock.now_s() < deadline_s:
            self._thread.join(_STOP_POLL_S)
            make_all_safe(self._actuators)
        if self._thread.is_alive():
            _log.error("an actuator did not come back within %.1f s; it was made safe and left behind", timeout_s)
            return
        close_all(self._actuators)

    def _run(self) -> None:
        while (command := self._commands.get()) is not None:
            report = self._obey(command)
            self._on_report(report)
            if report.actuation.commanded:
                self._wait(self._stopping, self._settings.min_pause_s)
            self._commands.task_done()

    def _obey(self, command: Command) -> ActuationReport:
        now_s = self._clock.now_s()
        age_s = now_s - command.decided_s
        if self._stopping.is_set():
            return not_done(command, now_s, "stopped before its turn came")
        if not self._may_move():
            return not_done(command, now_s, "switched off before its turn came")
        if age_s > self._settings.max_age_s:
            return not_done(command, now_s, f"{age_s:.1f} s old, {self._settings.max_age_s:.1f} s allowed")
        return obey(self._actuators[command.bin], command, self._clock)


def obey(actuator: Actuator, command: Command, clock: Clock) -> ActuationReport:
    """Do one movement; whatever it raises ends in the safe position and in the report."""
    started_s = clock.now_s()
    is_confirmed: bool | None = None
    problem: str | None = None
    try:
        is_confirmed = actuator.actuate()
    except Exception as error:  # noqa: BLE001 - hardware libraries raise anything; the loop must go on and say so
        problem = f"bin {command.bin}: the actuator failed: {error or type(error).__name__}"
        _log.debug("%s", problem, exc_info=True)
        _make_safe(command.bin, actuator)
    if is_confirmed is False:
        problem = f"bin {command.bin}: the movement was not confirmed; look for a jam"
    actuation = Actuation(
        command.bin, commanded=True, is_confirmed=is_confirmed, started_at_s=started_s, finished_at_s=clock.now_s()
    )
    return ActuationReport(command.seq, actuation, problem)


def not_done(command: Command, now_s: float, why: str) -> ActuationReport:
    """The report of a command that was dropped."""
    actuation = Actuation(command.bin, commanded=False, is_confirmed=None, started_at_s=now_s, finished_at_s=now_s)
    return ActuationReport(command.seq, actuation, f"bin {command.bin}: not moved for decision {command.seq}: {why}")


def make_all_safe(actuators: Mapping[str, Actuator]) -> None:
    """Every actuator to its safe position; one that fails does not keep the others from theirs."""
    for bin_name, actuator in actuators.items():
        _make_safe(bin_name, actuator)


def close_all(actuators: Mapping[str, Actuator]) -> None:
    """Make all safe and free their hardware, whatever single ones raise."""
    for bin_name, actuator in actuators.items():
        _make_safe(bin_name, actuator)
        try:
            actuator.close()
        except Exception:  # noqa: BLE001 - the others must still be closed
            _log.exception("bin %s: the actuator could not be closed", bin_name)


def _make_safe(bin_name: str, actuator: Actuator) -> None:
    try:
        actuator.make_safe()
    except Exception:  # noqa: BLE001 - the others must still be made safe
        _log.exception("bin %s: the actuator could not be made safe; cut its power", bin_name)


def _check_bin(actuators: Mapping[str, Actuator], command: Command) -> None:
    if command.bin not in actuators:
        raise ConfigError(f"bin {command.bin!r}: expected one of {sorted(actuators)}; give each bin an actuator")
