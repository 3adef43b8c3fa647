"""From single frames to one item: its life, and the evidence gathered over time.

An item begins when something has come to rest and ends when the scene is empty (presence says so only
after a moment of emptiness). A hand that passes never comes to rest, so it never becomes an item.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Protocol

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from edge.messages import Item, Phase, Prediction, Presence

Scores = NDArray[np.float32]

# The smallest score that counts in a product: one frame that is sure of a mistake must not outvote
# all others for ever. 1e-4 lets about three ordinary frames mend it.
MIN_SCORE = 1e-4


class Method(StrEnum):
    """How the scores of several frames become one."""

    MEAN_LOG_PROB = "mean_log_prob"
    EMA = "ema"
    VOTE = "vote"
    CONSECUTIVE = "consecutive"


@dataclass(frozen=True, slots=True)
class SmoothingSettings:
    """How frames are gathered into an item.

    `ema_weight` is the share of the newest frame in `ema`. A frame is left out when its sharpness is
    below `min_relative_sharpness` of the sharpest one of this item. Several at once count after
    `many_after_s`, since one item often looks like two while it falls.
    """

    method: Method = Method.MEAN_LOG_PROB
    ema_weight: Annotated[float, Gt(0), Le(1)] = 0.4
    min_relative_sharpness: Annotated[float, Ge(0), Le(1)] = 0.4
    many_after_s: Annotated[float, Ge(0), Le(60)] = 0.6


class Evidence(Protocol):
    """Scores of one item over time."""

    def add(self, scores: Scores) -> Scores:
        """Take one frame's scores (C,) and give the smoothed ones, which sum to 1."""
        ...

    @property
    def agreeing(self) -> int:
        """How many of the frames that count have the smoothed winner on top."""
        ...


class MeanLogProb:
    """The normalized geometric mean of all frames: what independent frames say together."""

    def __init__(self) -> None:
        self._log_scores: list[Scores] = []
        self._winner = -1

    def add(self, scores: Scores) -> Scores:
        self._log_scores.append(np.log(np.maximum(scores, MIN_SCORE)))
        mean = np.exp(np.mean(self._log_scores, axis=0))
        smoothed: Scores = (mean / mean.sum()).astype(np.float32)
        self._winner = int(smoothed.argmax())
        return smoothed

    @property
    def agreeing(self) -> int:
        return sum(int(logs.argmax()) == self._winner for logs in self._log_scores)


class ExponentialAverage:
    """An exponential moving average: the newest frame weighs `weight`, older ones fade."""

    def __init__(self, weight: float) -> None:
        self._weight = np.float32(weight)
        self._smoothed: Scores | None = None
        self._winners: list[int] = []

    def add(self, scores: Scores) -> Scores:
        self._winners.append(int(scores.argmax()))
        if self._smoothed is None:
            self._smoothed = scores
        else:
            self._smoothed = self._smoothed + self._weight * (scores - self._smoothed)
        return self._smoothed

    @property
    def agreeing(self) -> int:
        return 0 if self._smoothed is None else self._winners.count(int(self._smoothed.argmax()))


class Vote:
    """Each frame has one vote, however sure it is."""

    def __init__(self) -> None:
        self._votes: Scores = np.zeros(0, np.float32)

    def add(self, scores: Scores) -> Scores:
        if not self._votes.size:
            self._votes = np.zeros_like(scores)
        self._votes[int(scores.argmax())] += 1
        shares: Scores = (self._votes / self._votes.sum()).astype(np.float32)
        return shares

    @property
    def agreeing(self) -> int:
        return int(self._votes.max(initial=0))


class Consecutive:
    """The mean of the unbroken run of frames with the same winner; another winner starts a new run."""

    def __init__(self) -> None:
        self._run: list[Scores] = []

    def add(self, scores: Scores) -> Scores:
        if self._run and self._run[-1].argmax() != scores.argmax():
            self._run.clear()
        self._run.append(scores)
        mean: Scores = np.mean(self._run, axis=0, dtype=np.float32)
        return mean

    @property
    def agreeing(self) -> int:
        return len(self._run)


def evidence_maker(settings: SmoothingSettings) -> Callable[[], Evidence]:
    """What makes the empty evidence of a new item."""
    match settings.method:
        case Method.MEAN_LOG_PROB:
            return MeanLogProb
        case Method.EMA:
            return lambda: ExponentialAverage(settings.ema_weight)
        case Method.VOTE:
            return Vote
        case Method.CONSECUTIVE:
            return Consecutive


class ItemTracker:
    """Follows presence from frame to frame and holds the one current item.

    The loop calls `follow` for every frame, `add` for those that were classified, and `close` once
    the item was decided; a decided item is not given again before the scene was empty. After several
    at once it is enough that something moved: somebody took the others away.
    """

    def __init__(self, settings: SmoothingSettings) -> None:
        self._settings = settings
        self._new_evidence = evidence_maker(settings)
        self._evidence: Evidence = self._new_evidence()
        self._item: Item | None = None
        self._num_items = 0
        self._is_decided = False
        self._wakes_on_motion = False
        self._seen_since_s: float | None = None
        self._many_since_s: float | None = None
        self._best_sharpness = 0.0

    def follow(self, presence: Presence, now_s: float) -> Item | None:
        """The item that waits for a decision after this frame, None when there is none."""
        if presence.phase is Phase.EMPTY:
            return self._while_empty()
        self._seen_since_s = now_s if self._seen_since_s is None else self._seen_since_s
        if self._wakes_on_motion and presence.phase is Phase.MOVING:
            self._is_decided = self._wakes_on_motion = False
            self._seen_since_s = now_s
        is_many = self._is_many(presence, now_s)
        if self._item is None and not self._is_decided and (presence.phase is Phase.SETTLED or is_many):
            self._begin()
        if self._item is None:
            return None
        if is_many:
            self._item = replace(self._item, is_many=True)
        if presence.phase is Phase.SETTLED and self._item.settled_s is None:
            self._item = replace(self._item, settled_s=now_s)
        return self._item

    def wants(self, presence: Presence) -> bool:
        """Whether this frame should be classified: a single item at rest, sharp enough."""
        if self._item is None or self._item.is_many or presence.phase is not Phase.SETTLED:
            return False
        if presence.sharpness < self._settings.min_relative_sharpness * self._best_sharpness:
            self._item = replace(self._item, frames_rejected=self._item.frames_rejected + 1)
            return False
        self._best_sharpness = max(self._best_sharpness, presence.sharpness)
        return True

    def add(self, prediction: Prediction) -> Item:
        """The item with one more classified frame. Call it only after `wants` said yes."""
        if self._item is None:
            raise RuntimeError("a prediction without an item: follow() must come first")
        scores = self._evidence.add(prediction.scores)
        scores.setflags(write=False)
        self._item = replace(
            self._item, frames_used=self._item.frames_used + 1, agreeing=self._evidence.agreeing, scores=scores
        )
        return self._item

    def close(self) -> None:
        """The item was decided: nothing more is asked of it until it has gone."""
        if self._item is None:
            return
        self._is_decided = not self._item.has_left
        self._wakes_on_motion = self._item.is_many
        self._item = None

    def end(self) -> Item | None:
        """The item that still waits, as one that has left; None when none does."""
        if self._item is not None:
            self._item = replace(self._item, has_left=True)
        return self._item

    def _begin(self) -> None:
        self._num_items += 1
        self._evidence = self._new_evidence()
        self._best_sharpness = 0.0
        first_seen_s = self._seen_since_s if self._seen_since_s is not None else 0.0
        self._item = Item(self._num_items, first_seen_s)

    def _while_empty(self) -> Item | None:
        self._many_since_s = self._seen_since_s = None
        self._is_decided = self._wakes_on_motion = False
        return self.end()

    def _is_many(self, presence: Presence, now_s: float) -> bool:
        if presence.phase is not Phase.MANY:
            self._many_since_s = None
            return False
        self._many_since_s = now_s if self._many_since_s is None else self._many_since_s
        return now_s - self._many_since_s >= self._settings.many_after_s
