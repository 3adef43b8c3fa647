"""Thresholds keep the owner's wish on pictures that they have not seen, and say how far that can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.scores.thresholds import (
    Labelled,
    Tally,
    accepted,
    cost_wish,
    fit_thresholds,
    folds_of,
    holding_still,
    precision_wish,
    tally,
)
from edge.deciding.rules import NEVER


def honest(num_pictures: int, seed: int) -> Labelled:
    """Two classes whose scores are right as often as they say."""
    rng = np.random.default_rng(seed)
    first = rng.uniform(0.02, 0.98, num_pictures)
    scores = np.stack([first, 1 - first], axis=1).astype(np.float32)
    truth = (rng.random(num_pictures) > first).astype(np.intp)
    return Labelled(scores, truth, np.arange(num_pictures))


@pytest.mark.parametrize("precision", [0.8, 0.9])
def test_what_was_asked_for_is_given_on_other_pictures(precision: float) -> None:
    is_within = []
    for seed in range(40):
        ours, others = honest(300, seed), honest(300, seed + 1000)
        fitted = fit_thresholds(ours, precision_wish(precision), folds_of(ours.objects))
        low, high = fitted.overall.interval
        found = tally(others, accepted(others, fitted.min_confidence)).precision
        assert found is not None
        is_within.append(low <= found <= high)
    # 95 % of 40 are 38; the chance of fewer than 34 is one in a thousand.
    assert sum(is_within) >= 34


def test_a_stricter_wish_accepts_less() -> None:
    pictures = honest(400, 0)
    folds = folds_of(pictures.objects)
    shares = [fit_thresholds(pictures, precision_wish(wish), folds).overall.coverage for wish in (0.7, 0.8, 0.9, 0.95)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] > 0


def test_a_threshold_is_rounded_down_so_that_the_picture_it_came_from_is_accepted() -> None:
    scores = np.tile(np.array([[0.8129, 0.1871]], np.float32), (20, 1))
    pictures = Labelled(scores, np.zeros(20, np.intp), np.arange(20))
    fitted = fit_thresholds(pictures, precision_wish(0.8), folds_of(pictures.objects))
    assert fitted.min_confidence == (0.812, NEVER)
    assert accepted(pictures, fitted.min_confidence).all()


def test_a_class_that_is_never_good_enough_is_never_accepted() -> None:
    scores = np.tile(np.array([[0.6, 0.4]], np.float32), (20, 1))
    pictures = Labelled(scores, np.ones(20, np.intp), np.arange(20))
    fitted = fit_thresholds(pictures, precision_wish(0.9), folds_of(pictures.objects))
    assert fitted.min_confidence == (NEVER, NEVER)
    assert fitted.overall == Tally(20, 0, 0, 0)
    assert fitted.overall.precision is None
    assert fitted.overall.interval == (0.0, 1.0)


def test_even_a_saturated_score_does_not_reach_never() -> None:
    """Scores of exactly 1 are what a sure softmax gives in single precision."""
    sure = np.tile(np.array([[1.0, 0.0]], np.float32), (20, 1))
    wrong = Labelled(sure, np.ones(20, np.intp), np.arange(20))
    fitted = fit_thresholds(wrong, precision_wish(0.95), folds_of(wrong.objects))
    assert not accepted(wrong, fitted.min_confidence).any()
    right = Labelled(sure, np.zeros(20, np.intp), np.arange(20))
    fitted = fit_thresholds(right, precision_wish(0.9), folds_of(right.objects))
    assert fitted.min_confidence[0] < 1
    assert accepted(right, fitted.min_confidence).all()


def test_a_tally_counts_what_is_accepted_what_is_right_of_it_and_how_many_objects_it_shows() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]], np.float32)
    pictures = Labelled(scores, np.array([0, 1, 1, 1]), np.array([7, 7, 8, 9]))
    is_accepted = np.array([True, True, True, False])
    assert tally(pictures, is_accepted) == Tally(num_pictures=4, num_accepted=3, num_right=2, num_objects=2)
    assert tally(pictures, is_accepted, pictures.answers == 1) == Tally(2, 1, 1, 1)


def test_the_figures_of_a_class_are_those_of_the_pictures_answered_as_it() -> None:
    scores = np.tile(np.array([[0.9, 0.1]], np.float32), (20, 1))
    pictures = Labelled(scores, np.zeros(20, np.intp), np.arange(20))
    fitted = fit_thresholds(pictures, precision_wish(0.8), folds_of(pictures.objects))
    assert fitted.of_class == (Tally(20, 20, 20, 20), Tally(0, 0, 0, 0))
    assert fitted.overall == fitted.of_class[0]


def test_a_few_right_answers_do_not_prove_much() -> None:
    few, many = Tally(10, 10, 10, 10), Tally(400, 400, 400, 400)
    assert few.interval[0] < 0.85
    assert many.interval[0] > 0.98


def test_many_pictures_of_one_object_prove_no_more_than_few() -> None:
    assert Tally(100, 100, 95, 20).interval[0] < Tally(100, 100, 95, 100).interval[0]


def test_costs_put_the_threshold_where_a_mistake_costs_as_much_as_leaving() -> None:
    # A mistake costs ten times what leaving does: accept from a confidence of 0.9 on.
    pictures = honest(4000, 0)
    wish = cost_wish(np.array([[0.0, 10.0], [10.0, 0.0]]), 1.0)
    fitted = fit_thresholds(pictures, wish, folds_of(pictures.objects))
    # The cost is flat around its least: 0.03 is where it has risen by a hundredth of a picture each.
    assert fitted.min_confidence == pytest.approx((0.9, 0.9), abs=0.03)


def test_folds_never_divide_an_object() -> None:
    objects = np.array([4, 4, 1, 1, 1, 2, 3, 0, 0])
    folds = folds_of(objects)
    assert all(len(set(folds[objects == name])) == 1 for name in range(5))
    assert len(set(folds)) == 5


def test_an_answer_that_is_held_keeps_its_threshold_and_is_counted_by_it() -> None:
    """Nothing that was answered as 1 is one: the wish would never accept it, and count as if it did not."""
    scores = np.tile(np.array([[0.1, 0.9]], np.float32), (30, 1))
    pictures = Labelled(scores, np.zeros(30, np.intp), np.arange(30))
    wish, folds = precision_wish(0.9), folds_of(np.arange(30))
    assert fit_thresholds(pictures, wish, folds).overall.num_accepted == 0
    held = fit_thresholds(pictures, holding_still(wish, {1: 0.7}), folds)
    assert held.min_confidence == (NEVER, 0.7)
    assert held.overall.num_accepted == 30
