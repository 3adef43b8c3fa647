"""Intervals and calibration error, held against published and hand-made figures."""

from __future__ import annotations

import numpy as np
import pytest

from edge.confidence import calibration_error, reliability, wilson_interval


def test_wilson_interval_matches_the_published_example() -> None:
    # Newcombe 1998, table I, method 3: 81 of 263 and 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


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
