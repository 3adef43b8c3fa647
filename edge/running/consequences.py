"""What follows a decision, in the order that matters: written down, then moved, then told."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from edge.actuators.worker import ActuationReport, Command, Dispatcher, not_done
from edge.clock import Clock, rfc3339
from edge.messages import Decision
from edge.records import RECORD_SCHEMA, DecisionRecord, Recorder
from edge.running.problems import Problems
from edge.running.scribe import Scribe

log = logging.getLogger(__name__)

Listener = Callable[[DecisionRecord], None]


class Consequences:
    """Called by the loop with each decision, in the loop's thread.

    Without a `dispatcher` it is a rehearsal: nothing moves, and no record says so. `may_move` is asked for each
    decision; `trace_of` gives what is kept for `sorter explain`; `on_report` takes what became of a movement
    that was never begun.
    """

    def __init__(
        self,
        scribe: Scribe,
        recorder: Recorder,
        dispatcher: Dispatcher | None,
        listeners: Sequence[Listener],
        *,
        may_move: Callable[[], bool] = lambda: True,
        trace_of: Callable[[Decision], str | None] = lambda _: None,
        on_report: Callable[[ActuationReport], None] = lambda _: None,
    ) -> None:
        self._scribe = scribe
        self._recorder = recorder
        self._dispatcher = dispatcher
        self._listeners = listeners
        self._may_move = may_move
        self._trace_of = trace_of
        self._on_report = on_report

    def __call__(self, decision: Decision) -> None:
        """Write the decision down, then command the actuator, then tell the listeners.

        What cannot be written down in time is not moved, and told when it is written.

        Raises:
            StorageError: it could not be written down; nothing has moved.
        """
        self.catch_up()
        is_to_move = decision.bin is not None and self._dispatcher is not None and self._may_move()
        record = self._recorder.record(decision, self._scribe.next_seq, commanded=is_to_move)
        if not self._scribe.write(record, self._trace_of(decision)):
            return
        self._tell(self._command(record) if is_to_move else record)

    @property
    def is_moving(self) -> bool:
        """Whether the bin itself moves, or is about to."""
        return self._dispatcher is not None and self._dispatcher.is_busy

    def catch_up(self) -> None:
        """Tell of what could not be written down in time, and is by now. Never blocks; for every tick."""
        for record in self._scribe.arrived():
            self._tell(self._give_up(record, "it was written down too late") if record.commanded else record)

    def _command(self, record: DecisionRecord) -> DecisionRecord:
        """The record, with what is true of `commanded`."""
        if self._dispatcher is not None and self._dispatcher.submit(_command(record)):
            return record
        return self._give_up(record, "the actuators are still busy with earlier items")

    def _give_up(self, record: DecisionRecord, why: str) -> DecisionRecord:
        report = not_done(_command(record), record.decision.decided_s, why)
        self._on_report(report)
        return replace(record, commanded=False)

    def _tell(self, record: DecisionRecord) -> None:
        for tell in self._listeners:
            tell(record)


class Outcomes:
    """Takes what became of each movement: told, written down, and a problem while a bin is jammed.

    From the actuation thread and the loop's; never waits for the disk.
    """

    def __init__(self, scribe: Scribe, clock: Clock, problems: Problems) -> None:
        self._scribe = scribe
        self._clock = clock
        self._problems = problems
        self._listeners: list[Callable[[str], None]] = []

    def listen(self, tell: Callable[[str], None]) -> None:
        """Tell this one as well, one JSON object each; it must not block."""
        self._listeners.append(tell)

    def __call__(self, report: ActuationReport) -> None:
        actuation = report.actuation
        self._scribe.write_outcome(report.seq, actuation, report.problem)
        if report.problem is not None:
            log.warning("%s", report.problem)
        if actuation.commanded:  # what was never begun says nothing about the actuator
            self._problems.report(f"bin {actuation.bin}", report.problem)
        for tell in self._listeners:
            tell(self._line(report))

    def _line(self, report: ActuationReport) -> str:
        actuation = report.actuation
        fields = {
            "schema": RECORD_SCHEMA,
            "event_type": "actuation",
            "seq": report.seq,
            "bin": actuation.bin,
            "commanded": actuation.commanded,
            "confirmed": actuation.is_confirmed,
            "started": rfc3339(self._clock.wall(actuation.started_at_s)),
            "finished": rfc3339(self._clock.wall(actuation.finished_at_s)),
            "problem": report.problem,
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _command(record: DecisionRecord) -> Command:
    # Only what has a bin is ever to move.
    return Command(record.seq, record.decision.bin or "", record.decision.decided_s)
