"""When to accept each class, so that what is accepted is right as often as the owner wishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.confidence import prediction_interval
from edge.deciding.rules import NEVER

Scores = NDArray[np.float32]
Indices = NDArray[np.intp]
Floats = NDArray[np.float64]

# Scores are themselves estimates of how often they are right: worth as much as this many pictures.
_PRIOR_PICTURES = 10.0
# As sure as a threshold may be: beyond it comes NEVER.
_SUREST = 0.999

# From the pictures answered as one class, the surest first: their confidences (N,), their true classes (N,) and the
# answer, to the lowest confidence that is accepted.
Wish = Callable[[Floats, Indices, int], float]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Pictures with what the device makes of them: `scores` (N, C), true classes (N,), and objects (N,).

    Pictures of one object have the same number in `objects`.
    """

    scores: Scores
    truth: Indices
    objects: Indices

    def only(self, chosen: NDArray[np.bool_]) -> Labelled:
        """The chosen ones, by mask (N,)."""
        return Labelled(self.scores[chosen], self.truth[chosen], self.objects[chosen])

    @property
    def answers(self) -> Indices:
        """The likeliest class of each, (N,)."""
        return np.asarray(self.scores.argmax(axis=1), np.intp)

    @property
    def confidences(self) -> Floats:
        """The score of the answer, (N,)."""
        return np.asarray(self.scores.max(axis=1), np.float64)


@dataclass(frozen=True, slots=True)
class Tally:
    """Of `num_pictures` pictures `num_accepted` are accepted, `num_right` of these right.

    They show `num_objects` different objects: pictures of one object are no independent evidence.
    """

    num_pictures: int
    num_accepted: int
    num_right: int
    num_objects: int

    @property
    def precision(self) -> float | None:
        """The share of the accepted that is right; None when none is accepted."""
        return self.num_right / self.num_accepted if self.num_accepted else None

    @property
    def interval(self) -> tuple[float, float]:
        """Where the precision will be, 95 %, when as many others are accepted."""
        share = self.num_objects / max(1, self.num_accepted)
        return prediction_interval(share * self.num_right, share * self.num_accepted, self.num_accepted)

    @property
    def coverage(self) -> float:
        """The share of the pictures that is accepted."""
        return self.num_accepted / self.num_pictures if self.num_pictures else 0.0


@dataclass(frozen=True, slots=True)
class FittedThresholds:
    """The least confidence of each class, and what such thresholds do to pictures that they have not seen.

    `of_class` tells of the pictures answered as each class, `overall` of all.
    """

    min_confidence: tuple[float, ...]
    of_class: tuple[Tally, ...]
    overall: Tally


def fit_thresholds(pictures: Labelled, wish: Wish, folds: Indices) -> FittedThresholds:
    """The thresholds that `wish` finds in all pictures; the figures come from leaving out each fold, (N,), in turn."""
    num_classes = pictures.scores.shape[1]
    is_accepted = np.zeros(len(folds), np.bool_)
    for fold in np.unique(folds):
        held_out = folds == fold
        without = _lowest(pictures.only(~held_out), wish, num_classes)
        is_accepted[held_out] = accepted(pictures.only(held_out), without)
    return FittedThresholds(
        min_confidence=tuple(_lowest(pictures, wish, num_classes)),
        of_class=tuple(tally(pictures, is_accepted, pictures.answers == index) for index in range(num_classes)),
        overall=tally(pictures, is_accepted),
    )


def accepted(pictures: Labelled, min_confidence: Sequence[float]) -> NDArray[np.bool_]:
    """Which pictures reach the threshold of their answer, (N,)."""
    return pictures.confidences >= np.asarray(min_confidence)[pictures.answers]


def tally(pictures: Labelled, is_accepted: NDArray[np.bool_], among: NDArray[np.bool_] | None = None) -> Tally:
    """Count the pictures, or those `among` them, (N,)."""
    chosen = np.ones(len(is_accepted), np.bool_) if among is None else among
    taken = chosen & is_accepted
    return Tally(
        num_pictures=int(chosen.sum()),
        num_accepted=int(taken.sum()),
        num_right=int((taken & (pictures.answers == pictures.truth)).sum()),
        num_objects=len(np.unique(pictures.objects[taken])),
    )


def folds_of(objects: Indices, num_folds: int = 5) -> Indices:
    """A fold for each picture, (N,), such that none divides an object; always the same."""
    names, member = np.unique(objects, return_inverse=True)
    return (np.random.default_rng(0).permutation(len(names)) % num_folds)[member]


def precision_wish(precision: float) -> Wish:
    """Accept as much as may be, while `precision` of what is accepted can be expected to be right."""

    def lowest(confidences: Floats, truth: Indices, answer: int) -> float:
        num_accepted = np.arange(1, len(truth) + 1)
        promised = _PRIOR_PICTURES * np.cumsum(confidences) / num_accepted
        expected = (np.cumsum(truth == answer) + promised) / (num_accepted + _PRIOR_PICTURES)
        return _last(confidences, expected >= precision)

    return lowest


def cost_wish(costs: Floats, leave_cost: float) -> Wish:
    """Accept what makes all pictures together cost least.

    `costs[answer, truth]` (C, C) is the price of treating an item of one class as another, `leave_cost` that of
    leaving it undecided.
    """

    def lowest(confidences: Floats, truth: Indices, answer: int) -> float:
        total = np.cumsum(costs[answer, truth] - leave_cost)
        return _last(confidences, (total == total.min()) & (total < 0)) if len(total) else NEVER

    return lowest


def holding_still(wish: Wish, held: Mapping[int, float]) -> Wish:
    """The same wish, but for the answers in `held`, of which the least confidence stays as given."""

    def lowest(confidences: Floats, truth: Indices, answer: int) -> float:
        return held[answer] if answer in held else wish(confidences, truth, answer)

    return lowest


def _lowest(pictures: Labelled, wish: Wish, num_classes: int) -> list[float]:
    return [_lowest_of_class(pictures, wish, index) for index in range(num_classes)]


def _lowest_of_class(pictures: Labelled, wish: Wish, index: int) -> float:
    members = np.flatnonzero(pictures.answers == index)
    surest_first = members[np.argsort(-pictures.confidences[members], kind="stable")]
    return wish(pictures.confidences[surest_first], pictures.truth[surest_first], index)


def _last(confidences: Floats, is_enough: NDArray[np.bool_]) -> float:
    """The confidence of the last picture up to which it is enough, rounded down to three digits."""
    enough = np.flatnonzero(is_enough)
    return min(_SUREST, float(np.floor(confidences[enough[-1]] * 1000) / 1000)) if len(enough) else NEVER
