"""What the sinks have in common that take one decision at a time: their own thread, the outbox, another try."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge.journal import Entry, Outbox
from edge.publishers.courier import Courier
from edge.publishers.retry import Retry, RetrySettings
from edge.records import DecisionRecord


class Outlet:
    """A Publisher that hands over the outbox's entries in order, each as often as it takes.

    `hand_over` returns when the sink has the entry, and raises SorterError when it has not: RefusedError where
    the entry is at fault. It runs on the outlet's own thread.
    """

    def __init__(
        self,
        outbox: Outbox,
        hand_over: Callable[[Entry], None],
        retry: RetrySettings,
        wait: Callable[[threading.Event, float], bool],
    ) -> None:
        self._hand_over = hand_over
        self._retry = Retry(retry, wait)
        self._courier = Courier(outbox, self._deliver, self._retry.pause)

    @property
    def problem(self) -> str | None:
        """Why the last attempt failed; None when it did not."""
        return self._retry.problem

    def start(self) -> None:
        self._courier.start()

    def tell(self, record: DecisionRecord) -> None:  # noqa: ARG002 - the outbox has it
        self._courier.wake()

    def flush(self, timeout_s: float) -> bool:
        """Wait until the sink has everything; whether it has. Not for the loop's thread."""
        return self._courier.flush(timeout_s)

    def stop(self, timeout_s: float = 5.0) -> None:
        self._courier.stop(timeout_s)

    def _deliver(self, entry: Entry, stopping: threading.Event) -> bool | None:
        return self._retry.until_answered(lambda: self._hand_over(entry), stopping)
