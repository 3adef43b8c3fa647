from __future__ import annotations

import numpy as np
import pytest

from train.measuring.intervals import f1_intervals


def test_an_interval_holds_the_f1_and_narrows_with_more_pictures() -> None:
    widths = []
    for num_pictures in (50, 2000):
        rng = np.random.default_rng(0)
        truth = rng.integers(3, size=num_pictures)
        answers = np.where(rng.random(num_pictures) < 0.8, truth, rng.integers(3, size=num_pictures))
        bounds = f1_intervals(answers, truth, 3)
        right = (answers == truth) & (truth == 0)
        f1 = 2 * right.sum() / ((truth == 0).sum() + (answers == 0).sum())
        assert bounds[0][0] < f1 < bounds[0][1]
        widths.append(bounds[0][1] - bounds[0][0])
    assert widths[1] < widths[0] / 3  # the square root of forty is six


def test_a_class_without_an_error_is_no_surer_than_its_few_pictures_allow() -> None:
    truth = np.repeat([0, 1], [3, 300])
    few, many, none = f1_intervals(truth, truth, 3)
    assert few == pytest.approx((0.609, 1), abs=1e-3)  # Wilson's 3 of 3, 0.438, as 2 s / (1 + s)
    assert many == pytest.approx((0.994, 1), abs=1e-3)
    assert none == (0, 1)
