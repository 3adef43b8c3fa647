"""What comes out of a quantized softmax, as logits."""

from __future__ import annotations

import numpy as np
import pytest

from edge.classifiers.base import softmax
from edge.classifiers.litert import log_probabilities


def test_a_thousand_classes_rounded_to_zero_do_not_outweigh_the_one_that_is_there() -> None:
    probabilities = np.zeros(1000, np.float32)
    probabilities[7] = 0.8125

    assert softmax(log_probabilities(probabilities, 1 / 256), 1.0)[7] == pytest.approx(0.8125, abs=0.01)


def test_a_rounded_certainty_leaves_the_other_classes_a_little() -> None:
    scores = softmax(log_probabilities(np.array([255 / 256, 0, 0], np.float32), 1 / 256), 1.0)

    assert scores == pytest.approx([0.996, 0.002, 0.002], abs=0.001)


def test_probabilities_that_were_never_rounded_stay_as_they_are() -> None:
    probabilities = np.array([0.9, 0.1 - 1e-6, 1e-6], np.float32)

    assert softmax(log_probabilities(probabilities, 0.0), 1.0) == pytest.approx(probabilities, rel=1e-3)
