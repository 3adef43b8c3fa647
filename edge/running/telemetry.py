"""How long each stage takes and how often things happen, in bounded memory."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from itertools import accumulate

import numpy as np

from edge.messages import Phase

# Enough for percentiles over the last minutes; at 8 bytes each, nothing beside one frame.
WINDOW = 4096
_SHARES = {"p50": 50, "p95": 95, "p99": 99}


class Stage(StrEnum):
    """The parts of one tick."""

    CAPTURE = "capture"
    PRESENCE = "presence"
    CROP = "crop"
    CLASSIFY = "classify"
    DECIDE = "decide"


# Upper edges of the buckets, seconds: from a crop on a desktop to a camera that hangs.
EDGES_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Histogram:
    """How often durations fell into each bucket, and their sum. One thread adds, any may read."""

    def __init__(self, edges_s: Sequence[float] = EDGES_S) -> None:
        self.edges_s = tuple(edges_s)
        # The last one takes what lies beyond every edge.
        self._counts = [0] * (len(self.edges_s) + 1)
        self.sum_s = 0.0

    def add(self, duration_s: float) -> None:
        """Count one duration; a bucket includes its upper edge."""
        self._counts[bisect_left(self.edges_s, duration_s)] += 1
        self.sum_s += duration_s

    @property
    def count(self) -> int:
        """How many durations there were."""
        return sum(self._counts)

    def cumulative(self) -> list[int]:
        """How many were at most as long as each edge; the last number is how many there were."""
        return list(accumulate(self._counts))


class Telemetry:
    """Timings of the last WINDOW runs of each stage, and counts since the start. One thread writes."""

    def __init__(self) -> None:
        self._durations_s: dict[Stage, deque[float]] = {stage: deque(maxlen=WINDOW) for stage in Stage}
        self._histograms = {stage: Histogram() for stage in Stage}
        self._phases: Counter[Phase] = Counter()
        self.num_frames = 0
        self.phase = Phase.EMPTY

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Time the block as one run of `stage`; a block that raises is not counted."""
        began_s = time.perf_counter()
        yield
        duration_s = time.perf_counter() - began_s
        self._durations_s[stage].append(duration_s)
        self._histograms[stage].add(duration_s)

    def total_s(self, stage: Stage) -> float:
        """Seconds spent in a stage since the start."""
        return self._histograms[stage].sum_s

    def count(self, stage: Stage) -> int:
        """How often a stage ran since the start."""
        return self._histograms[stage].count

    def histogram(self, stage: Stage) -> Histogram:
        """Every run of a stage since the start, by how long it took."""
        return self._histograms[stage]

    def saw(self, phase: Phase) -> None:
        """Count one whole tick."""
        self.num_frames += 1
        self.phase = phase
        self._phases[phase] += 1

    def phases(self) -> dict[str, int]:
        """How many frames showed each phase that was seen, since the start."""
        return {phase.value: self._phases[phase] for phase in Phase if self._phases[phase]}

    def percentiles_ms(self) -> dict[str, dict[str, float]]:
        """p50, p95 and p99 of each stage that ran, in milliseconds."""
        return {
            stage.value: dict(zip(_SHARES, _percentiles_ms(seconds), strict=True))
            for stage, seconds in self._durations_s.items()
            if seconds
        }


def _percentiles_ms(seconds: deque[float]) -> list[float]:
    # All at once: the page asks every second, and what takes time here is turning the deque into an array.
    times_s = np.fromiter(seconds, np.float64, len(seconds))
    shares_ms: list[float] = (np.percentile(times_s, tuple(_SHARES.values())) * 1000).round(3).tolist()
    return shares_ms
