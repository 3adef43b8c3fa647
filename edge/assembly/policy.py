"""The policy of a bin, whose common threshold may change while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edge.deciding.decision import ClassThresholds, DecisionPolicy, DecisionSettings
from edge.deciding.novelty import Novelty
from edge.deciding.routing import Routing
from edge.messages import Decision, Item


class AdjustablePolicy:
    """Decides as `settings` say. One thread.

    Raises:
        ConfigError: as `DecisionPolicy`.
    """

    def __init__(
        self, settings: DecisionSettings, labels: tuple[str, ...], routing: Routing, novelty: Novelty | None
    ) -> None:
        self._configured = self._settings = settings
        self._labels = labels
        self._routing = routing
        self._novelty = novelty
        self._policy = self._make()

    @property
    def min_confidence(self) -> float:
        """The confidence, 0..1, below which an item is unknown, where its class has none of its own."""
        return self._settings.min_confidence

    def decide(self, item: Item, now_s: float) -> Decision | None:
        """The decision that is due now, or None: wait for more."""
        return self._policy.decide(item, now_s)

    def adjust(self, min_confidence: float) -> None:
        """Hold every class to `min_confidence`, unless its own threshold is higher. The configured one undoes it."""
        configured = self._configured
        classes = configured.classes
        if min_confidence != configured.min_confidence:
            classes = {
                label: ClassThresholds(max(own.min_confidence, min_confidence), own.min_margin)
                for label, own in classes.items()
            }
        self._settings = replace(configured, min_confidence=min_confidence, classes=classes)
        self._policy = self._make()

    def rule_for(self, label: str | None) -> Mapping[str, object]:
        """What holds for an item that looks like `label`, for the trace."""
        settings = self._settings
        own = settings.classes.get(label or "", ClassThresholds(settings.min_confidence, settings.min_margin))
        return {
            "kind": "costs" if settings.costs else "thresholds",
            "min_confidence": own.min_confidence,
            "min_margin": own.min_margin,
            "min_frames": settings.min_frames,
            "max_frames": settings.max_frames,
            "hold_frames": settings.hold_frames,
            "deadline_s": settings.deadline_s,
        }

    def _make(self) -> DecisionPolicy:
        return DecisionPolicy(self._settings, self._labels, self._routing, self._novelty)
