"""What the loop saw of an item, kept with its decision so that `sorter explain` can tell why."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.messages import Decision, Phase, Sight

TRACE_SCHEMA = 1

# Of each item: the newest that were used, then the newest that were not. With three scores each, a trace stays below
# 8 KiB.
_MAX_LOOKS = 64
_NUM_SCORES = 3


@dataclass(frozen=True, slots=True)
class _Look:
    """One frame: `scores` are the likeliest labels with theirs, empty where it was not used."""

    at_s: float
    phase: Phase
    sharpness: float
    has_arm: bool
    scores: tuple[tuple[str, float], ...] = ()
    invoke_s: float = 0.0

    def to_json(self, *, may_be_unsharp: bool) -> dict[str, object]:
        told: dict[str, object] = {"t_s": round(self.at_s, 3), "sharpness": float(f"{self.sharpness:.3g}")}
        if not self.scores:
            return {**told, "rejected": self._why_not(may_be_unsharp=may_be_unsharp)}
        scores = {label: round(score, 3) for label, score in self.scores}
        return {**told, "scores": scores, "invoke_ms": round(self.invoke_s * 1000, 2)}

    def _why_not(self, *, may_be_unsharp: bool) -> str:
        match self.phase:
            case Phase.EMPTY:
                return "nothing there"
            case Phase.MOVING:
                return "it moved"
            case Phase.MANY:
                return "several things"
            case Phase.SETTLED if may_be_unsharp:
                return "less sharp than others"
            case Phase.SETTLED:
                return "an arm or the flap was there" if self.has_arm else "not looked at"


class Tracer:
    """Looks on with the loop, and writes the trace of an item when it is decided. One thread.

    `rule_for` gives the thresholds that hold for a label at the moment, `timings` the loop's stages, ms.
    """

    def __init__(
        self,
        labels: Sequence[str],
        rule_for: Callable[[str | None], Mapping[str, object]],
        timings: Callable[[], Mapping[str, Mapping[str, float]]],
    ) -> None:
        self._labels = labels
        self._rule_for = rule_for
        self._timings = timings
        self._used: dict[int, deque[_Look]] = {}
        self._rejected: deque[_Look] = deque(maxlen=_MAX_LOOKS)

    def __call__(self, sight: Sight) -> None:
        """Take one tick; costs a few microseconds."""
        presence, prediction = sight.presence, sight.prediction
        if sight.item_id is None or prediction is None or presence.phase is Phase.MANY:
            if presence.phase is not Phase.EMPTY:
                self._rejected.append(_look(sight))
            return
        best = np.argsort(-prediction.scores)[:_NUM_SCORES]
        scores = tuple((self._labels[index], float(prediction.scores[index])) for index in best)
        look = replace(_look(sight), scores=scores, invoke_s=prediction.invoke_s)
        self._used.setdefault(sight.item_id, deque(maxlen=_MAX_LOOKS)).append(look)
        self._forget_older(sight.item_id)

    def trace(self, decision: Decision) -> str:
        """The trace of an item, one line of JSON; what was kept of it is forgotten."""
        used = self._used.pop(decision.item_id, deque())
        rejected = [look for look in self._rejected if decision.first_seen_s <= look.at_s <= decision.decided_s]
        newest = deque(rejected, maxlen=_MAX_LOOKS - len(used))
        looks = sorted([*used, *newest], key=lambda look: look.at_s)
        # A frame is held against those used before it, and every one that fell short of them was counted.
        unsharp_after_s = used[0].at_s if used and decision.frames_rejected else math.inf
        self._forget_older(decision.item_id)
        fields = {
            "schema": TRACE_SCHEMA,
            "first_seen_s": round(decision.first_seen_s, 3),
            "frames": [look.to_json(may_be_unsharp=look.at_s > unsharp_after_s) for look in looks],
            "rule": self._rule_for(decision.label),
            "timings_ms": {stage: shares["p50"] for stage, shares in self._timings().items()},
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

    def _forget_older(self, newest: int) -> None:
        """Items that never came to a decision must not pile up: numbers only grow."""
        for item_id in [known for known in self._used if known < newest - _MAX_LOOKS]:
            del self._used[item_id]


def _look(sight: Sight) -> _Look:
    presence = sight.presence
    return _Look(sight.frame.captured_at_s, presence.phase, presence.sharpness, presence.has_arm)
