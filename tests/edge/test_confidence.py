"""Intervals and calibration error, held against published and hand-made figures."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from edge.confidence import calibration_error, prediction_interval, reliability, tolerance_bound, wilson_interval


def test_wilson_interval_matches_the_published_example() -> None:
    # Newcombe 1998, table I, method 3: 81 of 263 and 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(20, 20) == pytest.approx((0.8389, 1.0), abs=5e-5)


@pytest.mark.parametrize(("num_right", "num_seen", "num_next"), [(95, 100, 40), (3, 5, 17), (0, 8, 60), (7.5, 9.5, 30)])
def test_the_next_shares_lie_where_drawing_them_puts_them(num_right: float, num_seen: float, num_next: int) -> None:
    rng = np.random.default_rng(1)
    true_shares = rng.beta(num_right + 0.5, num_seen - num_right + 0.5, 200_000)
    drawn = np.quantile(rng.binomial(num_next, true_shares) / num_next, [0.025, 0.975])
    assert prediction_interval(num_right, num_seen, num_next) == pytest.approx(drawn, abs=1e-9)


def test_of_nothing_to_come_nothing_is_foretold() -> None:
    assert prediction_interval(3, 5, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("num", "share"), [(10, 0.9), (12, 0.98), (50, 0.98)])
def test_nineteen_of_twenty_bounds_hold_for_the_share_that_they_are_of(num: int, share: float) -> None:
    normal = NormalDist(5, 2)
    draws = np.random.default_rng(1).normal(5, 2, (4_000, num))
    bounds = np.array([tolerance_bound(draw, share) for draw in draws])
    # The formula is approximate: a table of Natrella's has 2.355 for ten and 90 %, the exact factor.
    assert (bounds >= normal.inv_cdf(share)).mean() == pytest.approx(0.95, abs=0.015)


def test_calibration_error_is_the_mean_gap() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55], np.float32)
    is_right = np.array([True, True, True, False, True, False])
    # Gaps: four times |0.95 - 0.75|, twice |0.55 - 0.5|.
    assert calibration_error(confidence, is_right) == pytest.approx((4 * 0.2 + 2 * 0.05) / 6, abs=1e-6)


def test_full_confidence_belongs_to_the_last_bin() -> None:
    assert calibration_error(np.ones(3, np.float32), np.array([True, True, True])) == 0


def test_the_diagram_tells_what_was_promised_and_kept() -> None:
    bins = reliability(np.array([0.95, 0.95, 0.45]), np.array([True, False, True]), num_bins=2)
    assert bins.counts.tolist() == [1, 2]
    assert bins.promised == pytest.approx([0.45, 0.95])
    assert bins.kept == pytest.approx([1.0, 0.5])
