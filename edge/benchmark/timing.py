"""Durations and what is said of them, and the verdict on two sets of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from pydantic import BaseModel, ConfigDict

NUM_BATCHES = 10
# Two runs of the same code on a busy machine differ by this much without a reason.
_SMALLEST_DIFFERENCE = 0.05
# Spreads of the batches' medians that chance may reach; 3 of a normal one are exceeded once in 370.
_NUM_SPREADS = 3.0


class Timing(BaseModel):
    """Milliseconds of one stage; `batch_medians_ms` are those of consecutive tenths, which tell the noise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_runs: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    batch_medians_ms: tuple[float, ...]

    @classmethod
    def of(cls, durations_s: Sequence[float]) -> Timing:
        """At least one duration, in the order in which they were measured."""
        ms = np.asarray(durations_s, np.float64) * 1000
        p50, p95, p99 = (round(float(value), 4) for value in np.percentile(ms, (50, 95, 99)))
        batches = np.array_split(ms, min(NUM_BATCHES, len(ms)))
        medians = tuple(round(float(np.median(batch)), 4) for batch in batches)
        return cls(num_runs=len(ms), p50_ms=p50, p95_ms=p95, p99_ms=p99, batch_medians_ms=medians)

    @property
    def noise(self) -> float:
        """Half the range that holds the middle half of the batches' medians, as a share of the median."""
        low, high = np.percentile(self.batch_medians_ms, (25, 75))
        return float(high - low) / 2 / max(self.p50_ms, 1e-9)


class Verdict(StrEnum):
    """Now against before."""

    FASTER = "faster"
    SAME = "the same within the noise"
    SLOWER = "slower"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one stage changed: `ratio` of the medians now to before, `noise` what chance may explain (a share)."""

    stage: str
    ratio: float
    noise: float

    @property
    def verdict(self) -> Verdict:
        """What can be said of it."""
        if abs(self.ratio - 1) <= self.noise:
            return Verdict.SAME
        return Verdict.SLOWER if self.ratio > 1 else Verdict.FASTER


def compare(stage: str, before: Timing, now: Timing) -> Comparison:
    """Hold two timings of a stage against each other."""
    spread = float(np.hypot(before.noise, now.noise))
    return Comparison(stage, now.p50_ms / max(before.p50_ms, 1e-9), max(_SMALLEST_DIFFERENCE, _NUM_SPREADS * spread))
