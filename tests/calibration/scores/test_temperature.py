"""Temperature scaling finds the temperature that made the scores, and judges itself on what it has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.scores.temperature import as_logits, best_temperature, judge_temperature
from edge.classifiers.base import softmax


def drawn(true_temperature: float, num_pictures: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose scores are honest at `true_temperature`: the truth is drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (num_pictures, 4)).astype(np.float32)
    chances = softmax(logits, true_temperature)
    truth = np.array([rng.choice(4, p=row / row.sum()) for row in chances.astype(np.float64)], np.intp)
    return logits, truth


# The spread of the estimate over 40 draws of 3000 pictures is 0.02 of the value; three times that.
@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_the_temperature_behind_the_scores_is_found(true_temperature: float) -> None:
    logits, truth = drawn(true_temperature, 3000)
    assert best_temperature(logits, truth, before=1.0) == pytest.approx(true_temperature, rel=0.06)


def test_boastful_scores_become_honest_ones() -> None:
    logits, truth = drawn(2.5, 1000)
    fitted = judge_temperature(logits, truth, np.arange(1000) % 5, before=1.0)
    assert fitted.ece_before > 0.1
    assert fitted.ece_after < fitted.ece_chance + 0.02  # one standard deviation of the error over 40 draws is 0.008
    assert fitted.loss_after < fitted.loss_before
    assert fitted.is_better


def test_the_figures_after_are_of_pictures_that_were_left_out() -> None:
    # Two folds that contradict each other: each is judged by the temperature of the other.
    logits = np.tile(np.array([[2.0, 0.0]], np.float32), (40, 1))
    truth = np.r_[np.zeros(20, np.intp), np.tile([0, 1], 10)]
    fitted = judge_temperature(logits, truth, np.repeat([0, 1], 20), before=1.0)
    assert fitted.ece_after > 0.3
    assert not fitted.is_better


def test_logits_are_found_again_in_scores_of_any_temperature() -> None:
    logits, _ = drawn(1.0, 20)
    again = as_logits(softmax(logits, 0.7), 0.7)
    assert softmax(again, 1.3) == pytest.approx(softmax(logits, 1.3), abs=1e-5)


def test_a_few_easy_pictures_do_not_make_the_network_certain() -> None:
    """Thirty right answers say little of how sure to be; the temperature that holds stays near."""
    logits = np.eye(6, dtype=np.float32)[np.arange(30) % 6] * 2
    assert best_temperature(logits, np.arange(30) % 6, 0.45) == pytest.approx(0.45, rel=0.7)
    many = np.tile(logits, (100, 1))
    assert best_temperature(many, np.arange(3000) % 6, 0.45) < 0.25
