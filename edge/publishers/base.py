"""What a publisher promises: it tells one sink everything, in order, and never holds up the loop."""

from __future__ import annotations

from typing import Protocol

from edge.records import DecisionRecord


class Publisher(Protocol):
    """Carries decisions from the journal's outbox to one sink, on threads of its own."""

    @property
    def problem(self) -> str | None:
        """Why the sink cannot be told at present; None when it can. Any thread."""
        ...

    def start(self) -> None:
        """Begin; a sink that is away is tried again until it is there."""
        ...

    def tell(self, record: DecisionRecord) -> None:
        """A decision was written. Never blocks on the sink; from the loop's thread, after each commit."""
        ...

    def stop(self, timeout_s: float = 5.0) -> None:
        """Take leave of the sink and end; what it has not acknowledged waits for the next start.

        Blocks for at most `timeout_s`.
        """
        ...
