from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.classifiers.temperature import (
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    fit_temperature,
    negative_log_likelihood,
)


@given(st.floats(0.2, 8.0), st.integers(0, 1000))
def test_it_finds_the_temperature_by_which_labels_were_drawn(temperature: float, seed: int) -> None:
    chance = np.random.default_rng(seed)
    logits = chance.normal(0, 3 * temperature, (4000, 4)).astype(np.float32)
    # The Gumbel trick: the largest of logits plus such noise is a draw from their softmax.
    labels = (logits / temperature + chance.gumbel(size=logits.shape)).argmax(axis=1)

    # 4,000 drawn labels leave a statistical error of about 2 %; five of those, over all of hypothesis' seeds.
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.1)


def test_no_other_temperature_is_likelier() -> None:
    chance = np.random.default_rng(3)
    logits = chance.normal(0, 4, (300, 5)).astype(np.float32)
    labels = np.where(chance.random(300) < 0.7, logits.argmax(axis=1), chance.integers(0, 5, 300))
    best = negative_log_likelihood(logits, labels, fit_temperature(logits, labels))

    assert all(negative_log_likelihood(logits, labels, other) >= best for other in np.geomspace(0.05, 20, 400))


def test_a_model_without_a_mistake_stays_within_bounds() -> None:
    logits = np.eye(3, dtype=np.float32) * 5

    assert fit_temperature(logits, np.arange(3)) == pytest.approx(MIN_TEMPERATURE, rel=0.01)


def test_a_model_that_is_always_wrong_stays_within_bounds() -> None:
    logits = np.eye(3, dtype=np.float32) * 5

    assert fit_temperature(logits, np.array([1, 2, 0])) == pytest.approx(MAX_TEMPERATURE, rel=0.01)
