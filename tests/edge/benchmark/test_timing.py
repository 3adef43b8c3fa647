"""Percentiles, and verdicts that allow for noise."""

from __future__ import annotations

import numpy as np
import pytest

from edge.benchmark.measure import recommended_threads
from edge.benchmark.timing import Timing, Verdict, compare


def around(median_ms: float, noise: float, seed: int = 0) -> Timing:
    """200 runs, log-normal around the median."""
    rng = np.random.default_rng(seed)
    return Timing.of(list(median_ms / 1000 * np.exp(rng.normal(0, noise, 200))))


def test_percentiles_are_in_milliseconds() -> None:
    timing = Timing.of([0.001 * number for number in range(1, 101)])
    assert (timing.num_runs, timing.p50_ms) == (100, 50.5)
    assert timing.p95_ms == pytest.approx(95.05)
    assert timing.p99_ms == pytest.approx(99.01)
    assert len(timing.batch_medians_ms) == 10


@pytest.mark.parametrize("seed", range(20))
def test_two_runs_of_the_same_code_are_the_same(seed: int) -> None:
    assert compare("whole", around(8, 0.1, 100 + seed), around(8, 0.1, seed)).verdict is Verdict.SAME


@pytest.mark.parametrize(("now_ms", "verdict"), [(12.0, Verdict.SLOWER), (5.0, Verdict.FASTER)])
def test_a_real_change_is_told(now_ms: float, verdict: Verdict) -> None:
    comparison = compare("whole", around(8, 0.1, 1), around(now_ms, 0.1, 2))
    assert comparison.verdict is verdict
    assert comparison.ratio == pytest.approx(now_ms / 8, rel=0.1)


def test_more_noise_needs_more_difference() -> None:
    assert (
        compare("whole", around(8, 1.5, 1), around(9.5, 1.5, 2)).noise
        > compare("whole", around(8, 0.01), around(8, 0.01)).noise
    )


def test_fewer_threads_win_when_more_bring_little() -> None:
    assert recommended_threads({1: around(10, 0.01), 2: around(5.2, 0.01), 4: around(5.0, 0.01)}) == 2
    assert recommended_threads({1: around(10, 0.01), 2: around(12, 0.01)}) == 1
