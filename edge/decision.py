"""The policy: from an item's evidence to one decision, as a pure function of the item and the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from edge.errors import ConfigError
from edge.messages import Decision, Item, Outcome
from edge.routing import Routing

Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True, slots=True)
class ClassThresholds:
    """What one class must reach instead of the common thresholds."""

    min_confidence: Share
    min_margin: Share = 0.0


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """When an item's evidence is enough.

    An item is accepted when the smoothed winner reaches `min_confidence`, leads the next class by
    `min_margin`, and at least `min_frames` frames have it on top. It is unknown when that did not
    happen within `max_frames` frames or `deadline_s` after it settled; when no frame could be used
    until `timeout_s`, it timed out.
    """

    min_confidence: Share = 0.55
    min_margin: Share = 0.15
    min_frames: Annotated[int, Ge(1), Le(1000)] = 3
    max_frames: Annotated[int, Ge(1), Le(1000)] = 12
    deadline_s: Annotated[float, Gt(0), Le(600)] = 2.0
    timeout_s: Annotated[float, Gt(0), Le(600)] = 6.0
    classes: Mapping[str, ClassThresholds] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.max_frames < self.min_frames:
            raise ValueError(f"max_frames {self.max_frames} must be at least min_frames {self.min_frames}")
        if self.timeout_s < self.deadline_s:
            raise ValueError(f"timeout_s {self.timeout_s:g} must be at least deadline_s {self.deadline_s:g}")


class DecisionPolicy:
    """Decides items of a model with these labels.

    Raises:
        ConfigError: the settings name a class that the model does not know.
    """

    def __init__(self, settings: DecisionSettings, labels: Sequence[str], routing: Routing) -> None:
        if strangers := sorted(set(settings.classes) - set(labels)):
            raise ConfigError(f"decision.classes names {', '.join(strangers)}; the model knows {', '.join(labels)}")
        self._settings = settings
        self._labels = tuple(labels)
        self._routing = routing

    def decide(self, item: Item, now_s: float) -> Decision | None:
        """The decision that is due now, or None: wait for more."""
        if item.is_many:
            return self._decision(item, now_s, Outcome.MULTIPLE, "several items at once: one at a time, please")
        if item.has_left:
            return self._decision(item, now_s, Outcome.LEFT_EARLY, f"gone after {_frames(item.frames_used)}, undecided")
        if item.scores is None:
            return self._without_evidence(item, now_s)
        doubt = self._doubt(item)
        if doubt is None:
            label = self._labels[int(item.scores.argmax())]
            reason = f"confident: {item.agreeing} of {_frames(item.frames_used)} say {label}"
            return self._decision(item, now_s, Outcome.ACCEPTED, reason)
        if item.frames_used >= self._settings.max_frames or self._waited_s(item, now_s) >= self._settings.deadline_s:
            return self._decision(item, now_s, Outcome.UNKNOWN, f"unsure after {_frames(item.frames_used)}: {doubt}")
        return None

    def _without_evidence(self, item: Item, now_s: float) -> Decision | None:
        if now_s - item.first_seen_s < self._settings.timeout_s:
            return None
        reason = f"no usable frame in {now_s - item.first_seen_s:.1f} s ({item.frames_rejected} too blurred)"
        return self._decision(item, now_s, Outcome.TIMEOUT, reason)

    def _doubt(self, item: Item) -> str | None:
        """What still speaks against accepting, in words; None when nothing does."""
        label, confidence, margin = self._winner(item)
        if label is None:
            return "no frame could be used"
        wanted = self._settings.classes.get(label)
        min_confidence = wanted.min_confidence if wanted else self._settings.min_confidence
        min_margin = wanted.min_margin if wanted else self._settings.min_margin
        if item.agreeing < self._settings.min_frames:
            return f"only {item.agreeing} of {_frames(item.frames_used)} say {label}, {self._settings.min_frames} needed"
        if confidence < min_confidence:
            return f"{label} has {confidence:.2f}, {min_confidence:.2f} needed"
        if margin < min_margin:
            return f"{label} leads by {margin:.2f}, {min_margin:.2f} needed"
        return None

    def _winner(self, item: Item) -> tuple[str | None, float, float]:
        """The leading label, its score and its lead over the next one."""
        if item.scores is None:
            return None, 0.0, 0.0
        runner_up, winner = np.sort(item.scores)[-2:]
        return self._labels[int(item.scores.argmax())], float(winner), float(winner - runner_up)

    def _waited_s(self, item: Item, now_s: float) -> float:
        return now_s - (item.settled_s if item.settled_s is not None else item.first_seen_s)

    def _decision(self, item: Item, now_s: float, outcome: Outcome, reason: str) -> Decision:
        label, confidence, margin = self._winner(item)
        scores = {} if item.scores is None else dict(zip(self._labels, map(float, item.scores), strict=True))
        return Decision(
            item_id=item.item_id,
            outcome=outcome,
            label=label,
            bin=self._routing.bin_for(outcome, label),
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
