"""When scores are good enough for a bin: by thresholds, or by what mistakes cost (Chow 1970)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from edge.deciding.routing import Routing
from edge.errors import ConfigError
from edge.listing import some_of
from edge.messages import Outcome, Reach

Share = Annotated[float, Ge(0), Le(1)]
# A class with this threshold is never accepted. Not 1, which scores do reach: all votes, or a softmax as good as sure.
NEVER = 2.0
Threshold = Annotated[float, Ge(0), Le(NEVER)]
Costs = Mapping[str, Mapping[str, float]]

# Bounds and scores are computed in different ways: what differs by rounding alone must not end the wait.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where an item should go and why in few words, or what speaks against it (`doubt`)."""

    bin: str | None
    words: str
    doubt: str | None


class Rule(Protocol):
    """Says whether smoothed scores are enough."""

    def judge(self, scores: NDArray[np.float32]) -> Verdict:
        """The verdict on smoothed scores, (C,)."""
        ...

    def can_pass(self, reach: Reach, min_frames: int) -> bool:
        """Whether anything within reach would leave no doubt."""
        ...


@dataclass(frozen=True, slots=True)
class ClassThresholds:
    """What one class must reach instead of the common thresholds; a `min_confidence` above 1 is never reached."""

    min_confidence: Threshold
    min_margin: Share = 0.0


def threshold_text(min_confidence: float) -> str:
    """A threshold as a person reads it."""
    return "never" if min_confidence > 1 else f"{min_confidence:.2f}"


class ThresholdRule:
    """The winner must reach its class's score, and lead the next class by its margin."""

    def __init__(self, thresholds: Mapping[str, ClassThresholds], routing: Routing) -> None:
        self._labels = tuple(thresholds)
        self._thresholds = tuple(thresholds.values())
        self._routing = routing
        self._min_confidence = np.array([wanted.min_confidence for wanted in self._thresholds])
        self._min_margin = np.array([wanted.min_margin for wanted in self._thresholds])

    def judge(self, scores: NDArray[np.float32]) -> Verdict:
        index = int(scores.argmax())
        label, wanted = self._labels[index], self._thresholds[index]
        runner_up, winner = map(float, np.sort(scores)[-2:])
        doubt = None
        if wanted.min_confidence > 1:
            doubt = f"{label} is never accepted here"
        elif winner < wanted.min_confidence:
            doubt = f"{label} has {winner:.2f}, {wanted.min_confidence:.2f} needed"
        elif winner - runner_up < wanted.min_margin:
            doubt = f"{label} leads by {winner - runner_up:.2f}, {wanted.min_margin:.2f} needed"
        return Verdict(self._routing.bin_for(Outcome.ACCEPTED, label), "confident", doubt)

    def can_pass(self, reach: Reach, min_frames: int) -> bool:
        is_within = (
            (reach.confidence >= self._min_confidence - _ROUNDING)
            & (reach.margin >= self._min_margin - _ROUNDING)
            & (reach.agreeing >= min_frames)
        )
        return bool(is_within.any())


@dataclass(frozen=True, slots=True)
class Choice:
    """The cheapest bin, what it is expected to cost, and the next bin with its cost (None: there is no other)."""

    bin: str
    cost: float
    next_bin: str | None
    next_cost: float


class CostTable:
    """What an item of each class costs in each bin.

    A cost that the table does not name is 0 in the class's own bin and 1 in any other.

    Raises:
        ConfigError: the table names a bin or a class that is not there.
    """

    def __init__(self, costs: Costs, labels: Sequence[str], routing: Routing) -> None:
        self._bins = tuple(sorted({*routing.bin_of_label.values()}))
        self._table = np.array(
            [
                [float(routing.bin_of_label.get(label, routing.unknown_bin) != name) for label in labels]
                for name in self._bins
            ],
            np.float64,
        )
        problems = []
        for name, of_label in costs.items():
            if name not in self._bins:
                problems.append(f"decision.costs.{name} is no bin that takes a class ({', '.join(self._bins)})")
                continue
            for label, cost in of_label.items():
                if label in labels:
                    self._table[self._bins.index(name), labels.index(label)] = cost
                else:
                    problems.append(f"decision.costs.{name}.{label}: the model knows {some_of(labels)}")
        if problems:
            raise ConfigError("; ".join(problems))

    def of_bins(self) -> dict[str, NDArray[np.float64]]:
        """What an item of each class costs in each bin, (C,) in the order of the labels."""
        return {name: self._table[index] for index, name in enumerate(self._bins)}

    def choose(self, scores: NDArray[np.float32]) -> Choice:
        """The bin with the least expected cost for an item with these scores, (C,)."""
        expected = self._table @ scores
        order = np.argsort(expected, kind="stable")
        best, following = int(order[0]), int(order[1]) if len(order) > 1 else None
        if following is None:
            return Choice(self._bins[best], float(expected[best]), None, float("inf"))
        return Choice(self._bins[best], float(expected[best]), self._bins[following], float(expected[following]))

    def least(self, confidence: NDArray[np.floating]) -> float:
        """The least expected cost of any bin, where no class can score above `confidence`, (C,).

        The scores sum to 1, so the best case puts as much as may be on the class that costs least, then on
        the next.
        """
        order = np.argsort(self._table, axis=1, kind="stable")
        filled = np.minimum(np.cumsum(confidence[order], axis=1), 1.0)
        shares = np.diff(filled, axis=1, prepend=0.0)
        return float((shares * np.take_along_axis(self._table, order, axis=1)).sum(axis=1).min())


class CostRule:
    """The bin with the least expected cost, when that is less than the cost of leaving the item undecided."""

    def __init__(self, table: CostTable, leave_cost: float) -> None:
        self._table = table
        self._leave_cost = leave_cost

    def judge(self, scores: NDArray[np.float32]) -> Verdict:
        choice = self._table.choose(scores)
        words = f"least cost: {choice.bin} at {choice.cost:.2f} expected"
        if choice.next_bin is not None:
            words += f" ({choice.next_bin} {choice.next_cost:.2f}, leaving it {self._leave_cost:.2f})"
        if choice.cost < self._leave_cost:
            return Verdict(choice.bin, words, None)
        return Verdict(None, words, f"leaving it costs {self._leave_cost:.2f}, {choice.bin} {choice.cost:.2f} expected")

    def can_pass(self, reach: Reach, min_frames: int) -> bool:
        if not (reach.agreeing >= min_frames).any():
            return False
        return self._table.least(np.minimum(reach.confidence + _ROUNDING, 1.0)) < self._leave_cost
