"""Decisions counted since the page began, which is anew at each reload."""

from __future__ import annotations

import time
from collections import Counter

from edge.records import DecisionRecord
from edge.running.telemetry import Histogram

# From "at once" to beyond any deadline, seconds.
_EDGES_S = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


class Tally:
    """How often each outcome fell for each bin, and how long after coming to rest. One thread tells, any reads.

    `began_s` is the Unix time since which it counts.
    """

    def __init__(self) -> None:
        self.began_s = time.time()
        self._by_outcome: Counter[tuple[str, str]] = Counter()
        self.latency = Histogram(_EDGES_S)

    def tell(self, record: DecisionRecord) -> None:
        """Count one decision."""
        decision = record.decision
        self._by_outcome[decision.outcome.value, decision.bin or ""] += 1
        if decision.settled_s is not None:
            self.latency.add(decision.decided_s - decision.settled_s)

    def by_outcome(self) -> list[tuple[tuple[str, str], int]]:
        """Pairs of (outcome, bin) and how many; no bin is an empty name."""
        return list(self._by_outcome.items())
