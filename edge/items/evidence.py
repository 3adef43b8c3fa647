"""The evidence about one item: how the scores of several frames become one, and what more could change.

Evidence is a value: `add` gives new evidence and leaves the old as it was. `reach` bounds what further
frames could still make of it: in every method the best that can happen to a class is that all of them are
sure of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge.messages import Evidence, Reach

Scores = NDArray[np.float32]
Counts = NDArray[np.int64]

# The smallest score that counts in a product: one frame that is sure of a mistake must not outvote
# all others for ever. 1e-4 lets about three ordinary frames mend it.
MIN_SCORE = 1e-4


class Method(StrEnum):
    """How the scores of several frames become one."""

    MEAN_LOG_PROB = "mean_log_prob"
    EMA = "ema"
    VOTE = "vote"
    CONSECUTIVE = "consecutive"


@dataclass(frozen=True, slots=True, eq=False)
class MeanLogProb:
    """The normalized geometric mean of all frames: what independent frames say together."""

    log_sum: Scores
    wins: Counts

    @classmethod
    def begin(cls, scores: Scores) -> Self:
        """The evidence of one frame."""
        return cls(_logs(scores), _win(scores))

    @property
    def scores(self) -> Scores:
        mean = np.exp((self.log_sum - self.log_sum.max()) / self.wins.sum())
        smoothed: Scores = (mean / mean.sum()).astype(np.float32)
        return smoothed

    def add(self, scores: Scores) -> Self:
        return type(self)(self.log_sum + _logs(scores), self.wins + _win(scores))

    def reach(self, num_more: int) -> Reach:
        num_frames = int(self.wins.sum()) + num_more
        mean = np.exp((self.log_sum - self.log_sum.max()) / num_frames)
        # Each sure frame divides the other classes by MIN_SCORE before the root is taken.
        fading = MIN_SCORE ** (num_more / num_frames)
        total = mean + fading * (mean.sum() - mean)
        return Reach(mean / total, (mean - fading * _best_other(mean)) / total, self.wins + num_more)


@dataclass(frozen=True, slots=True, eq=False)
class ExponentialAverage:
    """An exponential moving average: the newest frame weighs `weight`, older ones fade."""

    weight: float
    scores: Scores
    wins: Counts

    @classmethod
    def begin(cls, weight: float, scores: Scores) -> Self:
        """The evidence of one frame."""
        return cls(weight, scores, _win(scores))

    def add(self, scores: Scores) -> Self:
        smoothed = self.scores + np.float32(self.weight) * (scores - self.scores)
        return type(self)(self.weight, smoothed, self.wins + _win(scores))

    def reach(self, num_more: int) -> Reach:
        return _diluted(self.scores, (1 - self.weight) ** num_more, self.wins + num_more)


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """Each frame has one vote, however sure it is."""

    wins: Counts

    @classmethod
    def begin(cls, scores: Scores) -> Self:
        """The evidence of one frame."""
        return cls(_win(scores))

    @property
    def scores(self) -> Scores:
        shares: Scores = (self.wins / self.wins.sum()).astype(np.float32)
        return shares

    def add(self, scores: Scores) -> Self:
        return type(self)(self.wins + _win(scores))

    def reach(self, num_more: int) -> Reach:
        num_frames = int(self.wins.sum())
        return _diluted(self.scores, num_frames / (num_frames + num_more), self.wins + num_more)


@dataclass(frozen=True, slots=True, eq=False)
class Consecutive:
    """The mean of the unbroken run of frames with the same winner; another winner starts a new run."""

    sums: Scores
    wins: Counts

    @classmethod
    def begin(cls, scores: Scores) -> Self:
        """The evidence of one frame."""
        return cls(scores, _win(scores))

    @property
    def scores(self) -> Scores:
        mean: Scores = (self.sums / self.wins.sum()).astype(np.float32)
        return mean

    def add(self, scores: Scores) -> Self:
        if self.wins.argmax() != scores.argmax():
            return self.begin(scores)
        return type(self)(self.sums + scores, self.wins + _win(scores))

    def reach(self, num_more: int) -> Reach:
        # A new run forgets everything: one frame that breaks this run is enough, and sure ones may follow.
        return _diluted(self.scores, 0.0 if num_more else 1.0, self.wins + num_more)


def evidence_maker(method: Method, ema_weight: float) -> Callable[[Scores], Evidence]:
    """What makes an item's evidence from its first frame's scores, (C,)."""
    match method:
        case Method.MEAN_LOG_PROB:
            return MeanLogProb.begin
        case Method.EMA:
            return partial(ExponentialAverage.begin, ema_weight)
        case Method.VOTE:
            return Vote.begin
        case Method.CONSECUTIVE:
            return Consecutive.begin


def _logs(scores: Scores) -> Scores:
    return np.log(np.maximum(scores, np.float32(MIN_SCORE)))


def _win(scores: Scores) -> Counts:
    wins = np.zeros(scores.size, np.int64)
    wins[scores.argmax()] = 1
    return wins


def _best_other(scores: Scores) -> Scores:
    """For each class the highest score among the others, (C,)."""
    winner = int(scores.argmax())
    best = np.full_like(scores, scores[winner])
    best[winner] = np.delete(scores, winner).max(initial=0)
    return best


def _diluted(scores: Scores, share: float, wins: Counts) -> Reach:
    """What is reached where the scores keep `share` of their weight and the rest goes to one class."""
    confidence = share * scores + (1 - share)
    return Reach(confidence, confidence - share * _best_other(scores), wins)
