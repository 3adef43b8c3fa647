"""Smoothing over time: which settings gather an item's frames, and how one more frame joins them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from edge.items.evidence import Method, evidence_maker
from edge.messages import Evidence, Item, Prediction

__all__ = ["Gathering", "Method", "SmoothingSettings"]


@dataclass(frozen=True, slots=True)
class SmoothingSettings:
    """How frames are gathered into an item.

    `ema_weight` is the share of the newest frame in `ema`. With `turns` each frame is turned a quarter further
    before it is classified: another view for one inference each, since what lies in a bin has no up. A frame
    is left out when its sharpness is below `min_relative_sharpness` of the sharpest one of this item. Several
    at once count after `many_after_s`, since one item often looks like two while it falls.
    """

    method: Method = Method.MEAN_LOG_PROB
    ema_weight: Annotated[float, Gt(0), Le(1)] = 0.4
    turns: bool = True
    min_relative_sharpness: Annotated[float, Ge(0), Le(1)] = 0.4
    many_after_s: Annotated[float, Ge(0), Le(60)] = 0.6


class Gathering:
    """Adds classified frames to items, as the settings say."""

    def __init__(self, settings: SmoothingSettings) -> None:
        self._begin: Callable[[NDArray[np.float32]], Evidence] = evidence_maker(settings.method, settings.ema_weight)
        self._turns = settings.turns

    def num_turns(self, item: Item) -> int:
        """How often the item's next frame is to be turned before it is classified."""
        return item.frames_used if self._turns else 0

    def add(self, item: Item, prediction: Prediction) -> Item:
        """The item with one more frame."""
        before = item.evidence
        evidence = self._begin(prediction.scores) if before is None else before.add(prediction.scores)
        scores = evidence.scores
        scores.setflags(write=False)
        winner = int(scores.argmax())
        has_held = item.scores is not None and int(item.scores.argmax()) == winner
        return replace(
            item,
            frames_used=item.frames_used + 1,
            agreeing=int(evidence.wins[winner]),
            held=item.held + 1 if has_held else 0,
            scores=scores,
            evidence=evidence,
            embedding=_mean(item.embedding, prediction.embedding, item.frames_used),
        )


def _mean(
    mean: NDArray[np.float32] | None, newest: NDArray[np.float32] | None, num_before: int
) -> NDArray[np.float32] | None:
    if mean is None or newest is None:
        return newest if num_before == 0 else None
    return mean + (newest - mean) / np.float32(num_before + 1)
