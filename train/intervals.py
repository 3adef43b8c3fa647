"""Intervals for what has no formula."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_NUM_DRAWS = 1000


def f1_intervals(
    answers: NDArray[np.intp], truth: NDArray[np.intp], num_classes: int, seed: int = 0
) -> list[tuple[float, float]]:
    """The 95 % bootstrap interval of each class's F1: the pictures drawn again with replacement, percentile method."""
    rng = np.random.default_rng(seed)
    drawn = np.empty((_NUM_DRAWS, num_classes))
    for index in range(_NUM_DRAWS):
        chosen = rng.integers(len(truth), size=len(truth))
        right = np.bincount(truth[chosen][answers[chosen] == truth[chosen]], minlength=num_classes)
        total = np.bincount(truth[chosen], minlength=num_classes) + np.bincount(answers[chosen], minlength=num_classes)
        drawn[index] = 2 * right / np.maximum(total, 1)
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    return [(float(one), float(other)) for one, other in zip(low, high, strict=True)]
