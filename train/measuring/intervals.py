"""The interval of a class's F1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.confidence import wilson_interval


def f1_intervals(answers: NDArray[np.intp], truth: NDArray[np.intp], num_classes: int) -> list[tuple[float, float]]:
    """The 95 % interval of each class's F1, as wide as its pictures are few also where none was mistaken.

    F1 is 2 s / (1 + s) for the share s of right answers among the pictures that are of the class or were taken for it
    (Hand, Christen and Kirielle 2021, "F*: an interpretable transformation of the F-measure"): these are the ends of
    that share's Wilson interval, transformed. A class
    without pictures and answers is anywhere from 0 to 1.
    """
    return [_f1_interval(answers == index, truth == index) for index in range(num_classes)]


def _f1_interval(is_answer: NDArray[np.bool_], is_truth: NDArray[np.bool_]) -> tuple[float, float]:
    low, high = wilson_interval(int((is_answer & is_truth).sum()), int((is_answer | is_truth).sum()))
    return 2 * low / (1 + low), 2 * high / (1 + high)
