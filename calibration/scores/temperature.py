"""Scores that mean what they say: one number by which logits are divided, fitted on labelled pictures.

Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.classifiers.base import softmax
from edge.classifiers.temperature import fit_temperature
from edge.confidence import calibration_error, chance_error

Scores = NDArray[np.float32]
Truth = NDArray[np.intp]

_SMALLEST = np.float32(1e-12)  # what float32 makes of a score below this is not worth a logarithm
_PRIOR_PICTURES = 5.0  # what the temperature that holds counts for: few easy pictures must not make it certain


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

    @property
    def is_better(self) -> bool:
        """Whether scores are no less honest with it than with the one that holds."""
        return self.ece_after <= self.ece_before


def judge_temperature(logits: Scores, truth: Truth, folds: NDArray[np.intp], before: float) -> FittedTemperature:
    """The temperature for `logits` (N, C) of pictures with the class indices `truth` (N,), and what it is worth.

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


def best_temperature(logits: Scores, truth: Truth, before: float) -> float:
    """The temperature for logits (N, C) and class indices (N,), drawn towards the one that holds, `before`."""
    return fit_temperature(logits, truth, before, _PRIOR_PICTURES)


def as_logits(scores: Scores, temperature: float) -> Scores:
    """Logits that give `scores` (N, C) at this temperature: whatever made the scores, a head included."""
    return np.log(np.maximum(scores, _SMALLEST)) * np.float32(temperature)


def _loss(scores: Scores, truth: Truth) -> float:
    return float(-np.log(np.maximum(scores[np.arange(len(truth)), truth], _SMALLEST)).mean())


def _ece(scores: Scores, truth: Truth) -> float:
    return calibration_error(scores.max(axis=1), scores.argmax(axis=1) == truth)
