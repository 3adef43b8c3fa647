"""Scores that mean what they say: one number by which logits are divided, fitted on labelled pictures.

Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.classifiers.base import softmax
from edge.confidence import calibration_error, chance_error

Scores = NDArray[np.float32]
Truth = NDArray[np.intp]

# Temperatures outside of this make a coin or an oracle of any network.
_LOWEST, _HIGHEST = 0.05, 20.0
_SMALLEST = np.float32(1e-12)  # what float32 makes of a score below this is not worth a logarithm
_PRIOR_PICTURES = 5.0
_GOLDEN = (5**0.5 - 1) / 2
_PRECISION = 1e-4  # of the temperature's logarithm


@dataclass(frozen=True, slots=True)
class FittedTemperature:
    """The temperature for all pictures, and the calibration error (0..1) and mean loss before and after.

    The figures "after" are of pictures that the temperature they were judged with had not seen. `ece_chance` is
    what perfectly honest scores would show with so few pictures.
    """

    value: float
    num_pictures: int
    ece_before: float
    ece_after: float
    ece_chance: float
    loss_before: float
    loss_after: float


def fit_temperature(logits: Scores, truth: Truth, folds: NDArray[np.intp], before: float) -> FittedTemperature:
    """The temperature for `logits` (N, C) of pictures with the class indices `truth` (N,).

    `folds` (N,) divides the pictures for judging; those of one object belong in one fold. `before` is the
    temperature that holds now.
    """
    after = np.empty_like(logits)
    for fold in np.unique(folds):
        held_out = folds == fold
        after[held_out] = softmax(logits[held_out], best_temperature(logits[~held_out], truth[~held_out], before))
    now = softmax(logits, before)
    return FittedTemperature(
        value=round(best_temperature(logits, truth, before), 4),
        num_pictures=len(truth),
        ece_before=_ece(now, truth),
        ece_after=_ece(after, truth),
        ece_chance=chance_error(after.max(axis=1)),
        loss_before=_loss(now, truth),
        loss_after=_loss(after, truth),
    )


def best_temperature(logits: Scores, truth: Truth, before: float = 1.0) -> float:
    """The temperature with the least negative log-likelihood, by golden section over its logarithm.

    A few pictures that are all answered right would make the network certain of everything; so the one that
    holds now, `before`, counts as much as `_PRIOR_PICTURES` pictures.
    """

    def loss(at: float) -> float:
        fitted = _loss(softmax(logits, float(np.exp(at))), truth)
        return fitted + _PRIOR_PICTURES / len(truth) * float(at - np.log(before)) ** 2

    low, high = np.log(_LOWEST), np.log(_HIGHEST)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    loss_left, loss_right = loss(left), loss(right)
    while high - low > _PRECISION:
        if loss_left <= loss_right:
            high, right, loss_right = right, left, loss_left
            left = high - _GOLDEN * (high - low)
            loss_left = loss(left)
        else:
            low, left, loss_left = left, right, loss_right
            right = low + _GOLDEN * (high - low)
            loss_right = loss(right)
    return float(np.exp((low + high) / 2))


def as_logits(scores: Scores, temperature: float) -> Scores:
    """Logits that give `scores` (N, C) at this temperature: whatever made the scores, a head included."""
    return np.log(np.maximum(scores, _SMALLEST)) * np.float32(temperature)


def _loss(scores: Scores, truth: Truth) -> float:
    return float(-np.log(np.maximum(scores[np.arange(len(truth)), truth], _SMALLEST)).mean())


def _ece(scores: Scores, truth: Truth) -> float:
    return calibration_error(scores.max(axis=1), scores.argmax(axis=1) == truth)
