"""How long each stage takes and how often things happen, in bounded memory."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import numpy as np

from edge.messages import Phase

# Enough for percentiles over the last minutes; at 8 bytes each, nothing beside one frame.
WINDOW = 4096


class Stage(StrEnum):
    """The parts of one tick."""

    CAPTURE = "capture"
    PRESENCE = "presence"
    CROP = "crop"
    CLASSIFY = "classify"
    DECIDE = "decide"


class Telemetry:
    """Timings of the last WINDOW runs of each stage, and counts since the start. One thread writes."""

    def __init__(self) -> None:
        self._durations_s: dict[Stage, deque[float]] = {stage: deque(maxlen=WINDOW) for stage in Stage}
        self._totals_s = dict.fromkeys(Stage, 0.0)
        self._num_runs: Counter[Stage] = Counter()
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
        self._totals_s[stage] += duration_s
        self._num_runs[stage] += 1

    def total_s(self, stage: Stage) -> float:
        """Seconds spent in a stage since the start."""
        return self._totals_s[stage]

    def count(self, stage: Stage) -> int:
        """How often a stage ran since the start."""
        return self._num_runs[stage]

    def saw(self, phase: Phase) -> None:
        """Count one whole tick."""
        self.num_frames += 1
        self.phase = phase
        self._phases[phase] += 1

    def percentiles_ms(self) -> dict[str, dict[str, float]]:
        """p50, p95 and p99 of each stage that ran, in milliseconds."""
        return {
            stage.value: {f"p{share}": round(float(np.percentile(seconds, share)) * 1000, 3) for share in (50, 95, 99)}
            for stage, seconds in self._durations_s.items()
            if seconds
        }
