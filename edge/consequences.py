"""What follows a decision, in the order that matters: written down, then moved, then told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from edge.actuators.worker import ActuationReport, Command, Dispatcher, not_done
from edge.journal import Journal
from edge.messages import Decision
from edge.records import DecisionRecord, Recorder

log = logging.getLogger(__name__)

Listener = Callable[[DecisionRecord], None]


class Consequences:
    """Called by the loop with each decision, in the loop's thread; only the journal may block it."""

    def __init__(
        self, journal: Journal, recorder: Recorder, dispatcher: Dispatcher, listeners: Sequence[Listener]
    ) -> None:
        self._journal = journal
        self._recorder = recorder
        self._dispatcher = dispatcher
        self._listeners = listeners

    def __call__(self, decision: Decision) -> None:
        """Write the decision down, then command the actuator, then tell the listeners.

        Raises:
            StorageError: it could not be written down; nothing has moved.
        """
        record = self._recorder.record(decision, self._journal.next_seq, commanded=decision.bin is not None)
        self._journal.append(record)
        if decision.bin is not None:
            self._command(Command(record.seq, decision.bin, decision.decided_s))
        for tell in self._listeners:
            tell(record)

    def _command(self, command: Command) -> None:
        if not self._dispatcher.submit(command):
            busy = not_done(command, command.decided_s, "the actuators are still busy with earlier items")
            write_report(self._journal, busy)


def write_report(journal: Journal, report: ActuationReport) -> None:
    """Write down what became of a command. Called from the actuation thread, or from the loop's."""
    journal.actuated(report.seq, report.actuation)
    if report.problem is not None:
        log.warning("%s", report.problem)
