from __future__ import annotations

from edge.assembly.policy import AdjustablePolicy
from edge.deciding.decision import ClassThresholds, DecisionSettings
from edge.deciding.routing import route

LABELS = ("can", "paper")


def a_policy() -> AdjustablePolicy:
    settings = DecisionSettings(min_confidence=0.5, classes={"can": ClassThresholds(0.8, 0.3)})
    return AdjustablePolicy(settings, LABELS, route({}, LABELS, None), None)


def needed(policy: AdjustablePolicy) -> dict[str, object]:
    return {label: policy.rule_for(label)["min_confidence"] for label in LABELS}


def test_a_class_with_a_threshold_of_its_own_is_never_held_to_less() -> None:
    policy = a_policy()
    assert needed(policy) == {"can": 0.8, "paper": 0.5}
    policy.adjust(0.6)
    assert needed(policy) == {"can": 0.8, "paper": 0.6}
    policy.adjust(0.95)
    assert needed(policy) == {"can": 0.95, "paper": 0.95}
    assert policy.rule_for("can")["min_margin"] == 0.3


def test_the_configured_threshold_undoes_it_all() -> None:
    policy = a_policy()
    policy.adjust(0.95)
    policy.adjust(0.5)
    assert needed(policy) == {"can": 0.8, "paper": 0.5}
    assert policy.min_confidence == 0.5
