"""The policy: from an item's evidence to one decision, as a pure function of the item and the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from edge.deciding.novelty import Novelty
from edge.deciding.routing import Routing
from edge.deciding.rules import ClassThresholds, CostRule, CostTable, Rule, Share, ThresholdRule
from edge.errors import ConfigError
from edge.listing import some_of
from edge.messages import Decision, Item, Outcome

__all__ = ["ClassThresholds", "DecisionPolicy", "DecisionSettings"]

Cost = Annotated[float, Ge(0), Le(1e6)]


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """When an item's evidence is enough.

    An item is accepted when the smoothed winner reaches `min_confidence`, leads the next class by
    `min_margin`, at least `min_frames` frames have it on top, and it has kept the lead for `hold_frames`
    frames since it took it. With `costs` (bin, then class) the bin with the least expected cost is the
    choice instead, and accepted when it costs less than leaving the item undecided, `leave_cost`.

    With `refuse_strangers` an item that looks like nothing the network was trained on is not accepted,
    however sure the scores are; this needs a bundle that says what known items look like.

    An item is unknown when that did not happen within `max_frames` frames or `deadline_s` after it settled,
    or as soon as no further frame can bring it about. One that passed without a frame that could be used timed out.
    """

    min_confidence: Share = 0.55
    min_margin: Share = 0.15
    min_frames: Annotated[int, Ge(1), Le(1000)] = 3
    max_frames: Annotated[int, Ge(1), Le(1000)] = 5
    hold_frames: Annotated[int, Ge(0), Le(1000)] = 0
    deadline_s: Annotated[float, Gt(0), Le(600)] = 2.0
    classes: Mapping[str, ClassThresholds] = field(default_factory=dict)
    costs: Mapping[str, Mapping[str, Cost]] = field(default_factory=dict)
    leave_cost: Cost = 0.5
    refuse_strangers: bool = True

    def __post_init__(self) -> None:
        if self.max_frames < self.min_frames:
            raise ValueError(f"max_frames {self.max_frames} must be at least min_frames {self.min_frames}")
        if self.max_frames <= self.hold_frames:
            raise ValueError(f"max_frames {self.max_frames} must be more than hold_frames {self.hold_frames}")


class DecisionPolicy:
    """Decides items of a model with these labels.

    Raises:
        ConfigError: the settings name a class or a bin that is not there.
    """

    def __init__(
        self, settings: DecisionSettings, labels: Sequence[str], routing: Routing, novelty: Novelty | None = None
    ) -> None:
        if strangers := sorted(set(settings.classes) - set(labels)):
            raise ConfigError(f"decision.classes names {', '.join(strangers)}; the model knows {some_of(labels)}")
        self._settings = settings
        self._labels = tuple(labels)
        self._routing = routing
        self._novelty = novelty if settings.refuse_strangers else None
        self._rule: Rule
        if settings.costs:
            self._rule = CostRule(CostTable(settings.costs, labels, routing), settings.leave_cost)
        else:
            common = ClassThresholds(settings.min_confidence, settings.min_margin)
            self._rule = ThresholdRule({label: settings.classes.get(label, common) for label in labels}, routing)

    def decide(self, item: Item, now_s: float) -> Decision | None:
        """The decision that is due now, or None: wait for more."""
        if item.is_many:
            return self._decision(item, now_s, Outcome.MULTIPLE, "several items at once: one at a time, please")
        if item.has_left:
            return self._decision(
                item, now_s, Outcome.LEFT_EARLY, f"out of sight after {_frames(item.frames_used)}, undecided"
            )
        if item.scores is not None:
            return self._with_evidence(item, item.scores, now_s)
        if item.has_passed:
            return self._decision(item, now_s, Outcome.TIMEOUT, "it passed, and no frame of it could be used")
        return None

    def _with_evidence(self, item: Item, scores: NDArray[np.float32], now_s: float) -> Decision | None:
        verdict = self._rule.judge(scores)
        doubt = self._too_early(item) or verdict.doubt or self._strangeness(item)
        if doubt is None:
            reason = f"{verdict.words}: {item.agreeing} of {_frames(item.frames_used)} say {self._winner(item)[0]}"
            return self._decision(item, now_s, Outcome.ACCEPTED, reason, verdict.bin)
        if self._is_last_word(item, now_s) or not self._can_be_accepted(item):
            return self._decision(item, now_s, Outcome.UNKNOWN, f"unsure after {_frames(item.frames_used)}: {doubt}")
        return None

    def _too_early(self, item: Item) -> str | None:
        """What the frames still lack, whatever they say; None when they suffice."""
        label, settings = self._winner(item)[0], self._settings
        if item.agreeing < settings.min_frames:
            return f"only {item.agreeing} of {_frames(item.frames_used)} say {label}, {settings.min_frames} needed"
        if item.held < settings.hold_frames:
            return f"{label} took the lead {_frames(item.held)} ago, {settings.hold_frames} needed"
        return None

    def _strangeness(self, item: Item) -> str | None:
        """In words, when the item is too far from all that was trained; None when it is not."""
        if self._novelty is None or item.embedding is None:
            return None
        distance = self._novelty.distance(item.embedding)
        if distance <= self._novelty.max_distance:
            return None
        limit = self._novelty.max_distance
        return f"it looks like nothing it was trained on (distance {distance:.2f}, at most {limit:.2f})"

    def _is_last_word(self, item: Item, now_s: float) -> bool:
        if item.has_passed or item.frames_used >= self._settings.max_frames:
            return True
        since_s = item.first_seen_s if item.settled_s is None else item.settled_s
        return now_s - since_s >= self._settings.deadline_s

    def _can_be_accepted(self, item: Item) -> bool:
        """Whether frames to come could still make it so; True where that cannot be told."""
        if item.evidence is None:
            return True
        reach = item.evidence.reach(self._settings.max_frames - item.frames_used)
        return self._rule.can_pass(reach, self._settings.min_frames)

    def _winner(self, item: Item) -> tuple[str | None, float, float]:
        """The leading label, its score and its lead over the next one."""
        if item.scores is None:
            return None, 0.0, 0.0
        runner_up, winner = np.sort(item.scores)[-2:]
        return self._labels[int(item.scores.argmax())], float(winner), float(winner - runner_up)

    def _decision(self, item: Item, now_s: float, outcome: Outcome, reason: str, bin_: str | None = None) -> Decision:
        label, confidence, margin = self._winner(item)
        scores = {} if item.scores is None else dict(zip(self._labels, map(float, item.scores), strict=True))
        return Decision(
            item_id=item.item_id,
            outcome=outcome,
            label=label,
            bin=self._routing.bin_for(outcome, label) if bin_ is None else bin_,
            confidence=confidence,
            margin=margin,
            reason=reason,
            first_seen_s=item.first_seen_s,
            settled_s=item.settled_s,
            decided_s=now_s,
            frames_used=item.frames_used,
            frames_rejected=item.frames_rejected,
            scores=scores,
        )


def _frames(count: int) -> str:
    return f"{count} frame" if count == 1 else f"{count} frames"
