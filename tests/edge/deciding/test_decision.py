"""The policy decides once there is enough, waits otherwise, and always says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.deciding.decision import ClassThresholds, DecisionPolicy, DecisionSettings
from edge.deciding.novelty import Novelty
from edge.deciding.routing import route
from edge.deciding.rules import NEVER
from edge.errors import ConfigError
from edge.items.smoothing import Gathering, Method, SmoothingSettings
from edge.messages import Decision, Item, Outcome, Prediction

LABELS = ("can", "paper", "trash")
ROUTING = route({"dry": ["can", "paper"], "rest": ["trash"]}, LABELS, "rest")
SETTINGS = DecisionSettings(min_confidence=0.6, min_margin=0.2, min_frames=3, max_frames=8, deadline_s=2)
POLICY = DecisionPolicy(SETTINGS, LABELS, ROUTING)


def item(*scores: float, used: int = 3, agreeing: int | None = None, **changes: object) -> Item:
    evidence = np.array(scores, np.float32) if scores else None
    agreeing = used if agreeing is None else agreeing
    known = {"item_id": 1, "first_seen_s": 10.0, "settled_s": 10.5, "frames_used": used, "agreeing": agreeing}
    return Item(**{**known, "scores": evidence, **changes})  # type: ignore[arg-type]


def test_a_confident_item_is_accepted_into_its_bin() -> None:
    decision = POLICY.decide(item(0.9, 0.06, 0.04), 10.8)
    assert decision is not None
    assert (decision.outcome, decision.label, decision.bin) == (Outcome.ACCEPTED, "can", "dry")
    assert decision.reason == "confident: 3 of 3 frames say can"
    assert decision.confidence == pytest.approx(0.9)
    assert decision.margin == pytest.approx(0.84)
    assert decision.scores == pytest.approx({"can": 0.9, "paper": 0.06, "trash": 0.04})


@pytest.mark.parametrize(
    ("waiting", "doubt"),
    [
        (item(0.9, 0.06, 0.04, used=8, agreeing=2), "only 2 of 8 frames say can, 3 needed"),
        (item(0.55, 0.3, 0.15, used=8), "can has 0.55, 0.60 needed"),
        (item(0.6, 0.4, 0.0, used=8), "can leads by 0.20, 0.20 needed"),
    ],
)
def test_what_stays_doubtful_until_the_last_frame_is_unknown_and_says_which_rule_failed(
    waiting: Item, doubt: str
) -> None:
    strict = DecisionPolicy(
        DecisionSettings(min_confidence=0.6, min_margin=0.2000001, min_frames=3, max_frames=8), LABELS, ROUTING
    )
    decision = strict.decide(waiting, 11.0)
    assert decision is not None
    assert decision.outcome is Outcome.UNKNOWN
    assert decision.bin == "rest"
    assert decision.reason.endswith(doubt)


@pytest.mark.parametrize("method", Method)
def test_a_class_that_is_refused_is_never_accepted_however_sure(method: Method) -> None:
    settings = DecisionSettings(min_margin=0.1, classes={"can": ClassThresholds(NEVER)})
    policy = DecisionPolicy(settings, LABELS, ROUTING)
    gathering, waiting = Gathering(SmoothingSettings(method=method)), Item(1, 10.0, settled_s=10.5)
    for _ in range(settings.min_frames):
        assert policy.decide(waiting, 10.6) is None
        waiting = gathering.add(waiting, Prediction(np.array([1.0, 0.0, 0.0], np.float32)))
    waiting = replace(waiting, has_passed=True)
    decision = policy.decide(waiting, 10.8)
    assert decision is not None
    assert (decision.outcome, decision.bin) == (Outcome.UNKNOWN, "rest")
    assert decision.reason == "unsure after 3 frames: can is never accepted here"


def test_as_much_as_is_asked_for_suffices() -> None:
    policy = DecisionPolicy(DecisionSettings(min_confidence=1.0, min_margin=1.0), LABELS, ROUTING)
    decision = policy.decide(item(1.0, 0.0, 0.0), 10.8)
    assert decision is not None
    assert decision.outcome is Outcome.ACCEPTED


def test_doubt_waits_while_frames_and_time_are_left() -> None:
    assert POLICY.decide(item(0.5, 0.3, 0.2, used=7), 11.0) is None


def test_the_deadline_counts_from_when_the_item_settled() -> None:
    waiting = item(0.5, 0.3, 0.2)
    assert POLICY.decide(waiting, 12.49) is None
    decision = POLICY.decide(waiting, 12.5)
    assert decision is not None
    assert decision.outcome is Outcome.UNKNOWN


def test_several_items_move_nothing() -> None:
    decision = POLICY.decide(item(0.99, 0.01, 0.0, is_many=True), 10.6)
    assert decision is not None
    assert (decision.outcome, decision.bin) == (Outcome.MULTIPLE, None)


def test_an_item_that_left_undecided_is_said_to_have_left_early() -> None:
    decision = POLICY.decide(item(0.99, 0.01, 0.0, used=1, has_left=True), 10.6)
    assert decision is not None
    assert (decision.outcome, decision.label, decision.bin) == (Outcome.LEFT_EARLY, "can", None)
    assert decision.reason == "out of sight after 1 frame, undecided"


def test_a_class_with_its_own_threshold_needs_that_one() -> None:
    settings = DecisionSettings(min_confidence=0.6, classes={"can": ClassThresholds(min_confidence=0.95)})
    policy = DecisionPolicy(settings, LABELS, ROUTING)
    assert policy.decide(item(0.9, 0.06, 0.04), 10.8) is None
    assert policy.decide(item(0.06, 0.9, 0.04), 10.8) is not None


def test_thresholds_of_an_unknown_class_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"decision\.classes names glass; the model knows can, paper, trash"):
        DecisionPolicy(DecisionSettings(classes={"glass": ClassThresholds(0.5)}), LABELS, ROUTING)


def test_frames_to_hold_the_lead_for_must_fit_behind_the_one_that_took_it() -> None:
    with pytest.raises(ValueError, match="max_frames 4 must be more than hold_frames 4"):
        DecisionSettings(min_frames=3, max_frames=4, hold_frames=4)


@given(
    scores=st.lists(st.floats(0.01, 1), min_size=3, max_size=3),
    used=st.integers(1, 20),
    agreeing=st.integers(0, 20),
    waited_s=st.floats(0, 10),
)
def test_nothing_is_accepted_below_a_threshold_and_nothing_waits_beyond_the_deadline(
    scores: list[float], used: int, agreeing: int, waited_s: float
) -> None:
    evidence = np.array(scores, np.float32) / np.float32(sum(scores))
    waiting = item(*evidence, used=used, agreeing=min(used, agreeing))
    decision = POLICY.decide(waiting, 10.5 + waited_s)
    runner_up, winner = np.sort(evidence)[-2:]
    is_enough = winner >= SETTINGS.min_confidence and winner - runner_up >= SETTINGS.min_margin
    if decision is None:
        assert waited_s < SETTINGS.deadline_s
        assert used < SETTINGS.max_frames
    elif decision.outcome is Outcome.ACCEPTED:
        assert is_enough
        assert min(used, agreeing) >= SETTINGS.min_frames
        assert decision.label == LABELS[int(evidence.argmax())]
    else:
        assert decision.outcome is Outcome.UNKNOWN
        assert decision.bin == "rest"
    assert decision == POLICY.decide(waiting, 10.5 + waited_s), "the policy must have no memory"


def test_a_winner_must_have_kept_the_lead_where_that_is_asked_for() -> None:
    policy = DecisionPolicy(DecisionSettings(hold_frames=2, max_frames=12), LABELS, ROUTING)
    assert policy.decide(item(0.9, 0.06, 0.04, used=5, held=1), 10.8) is None
    assert policy.decide(item(0.9, 0.06, 0.04, used=5, held=2), 10.8) is not None


def test_an_item_that_has_passed_is_decided_at_once() -> None:
    unsure = POLICY.decide(item(0.5, 0.3, 0.2, has_passed=True), 10.6)
    assert unsure is not None
    assert (unsure.outcome, unsure.bin) == (Outcome.UNKNOWN, "rest")
    unseen = POLICY.decide(item(used=0, has_passed=True), 10.6)
    assert unseen is not None
    assert (unseen.outcome, unseen.label, unseen.scores) == (Outcome.TIMEOUT, None, {})
    assert POLICY.decide(item(used=0), 99.0) is None, "what lies there may still be seen"


def test_what_looks_like_nothing_that_was_trained_is_unknown_however_sure_the_scores() -> None:
    novelty = Novelty(np.array([[1, 0]], np.float32), max_distance=0.3, prototypes=np.zeros((0, 2), np.float32))
    strange, known = np.array([0, 5], np.float32), np.array([5, 1], np.float32)
    policy = DecisionPolicy(DecisionSettings(max_frames=3), LABELS, ROUTING, novelty)
    refused = policy.decide(item(0.98, 0.01, 0.01, embedding=strange), 10.8)
    assert refused is not None
    assert (refused.outcome, refused.label, refused.bin) == (Outcome.UNKNOWN, "can", "rest")
    assert refused.reason.endswith("it looks like nothing it was trained on (distance 1.00, at most 0.30)")
    accepted = policy.decide(item(0.98, 0.01, 0.01, embedding=known), 10.8)
    assert accepted is not None
    assert accepted.outcome is Outcome.ACCEPTED
    trusting = DecisionPolicy(DecisionSettings(refuse_strangers=False), LABELS, ROUTING, novelty)
    indulged = trusting.decide(item(0.98, 0.01, 0.01, embedding=strange), 10.8)
    assert indulged is not None
    assert indulged.outcome is Outcome.ACCEPTED


COSTS = DecisionSettings(costs={"dry": {"trash": 20.0}, "rest": {"can": 0.3, "paper": 0.3}}, leave_cost=0.5)


def test_the_bin_with_the_least_expected_cost_is_chosen_though_another_class_leads() -> None:
    policy = DecisionPolicy(COSTS, LABELS, ROUTING)
    careful = policy.decide(item(0.8, 0.1, 0.1), 10.8)
    assert careful is not None
    assert (careful.outcome, careful.label, careful.bin) == (Outcome.ACCEPTED, "can", "rest")
    assert careful.reason == "least cost: rest at 0.27 expected (dry 2.00, leaving it 0.50): 3 of 3 frames say can"
    sure = policy.decide(item(0.9, 0.095, 0.005), 10.8)
    assert sure is not None
    assert sure.bin == "dry"


def test_what_costs_less_when_it_is_left_alone_is_unknown() -> None:
    policy = DecisionPolicy(DecisionSettings(costs={"rest": {"can": 5}}, leave_cost=0.1, max_frames=3), LABELS, ROUTING)
    decision = policy.decide(item(0.7, 0.1, 0.2), 10.8)
    assert decision is not None
    assert decision.outcome is Outcome.UNKNOWN
    assert decision.reason.endswith("leaving it costs 0.10, dry 0.20 expected")


def test_costs_of_what_does_not_exist_are_refused_all_at_once() -> None:
    with pytest.raises(ConfigError, match=r"decision\.costs\.wet .*decision\.costs\.dry\.glass"):
        DecisionPolicy(DecisionSettings(costs={"wet": {"can": 1}, "dry": {"glass": 1}}), LABELS, ROUTING)


def decided(settings: DecisionSettings, method: Method, frames: list[np.ndarray]) -> tuple[Decision | None, int]:
    """The decision over these frames and how many of them it took."""
    policy, gathering = DecisionPolicy(settings, LABELS, ROUTING), Gathering(SmoothingSettings(method=method))
    waiting = Item(1, 0.0, 0.0)
    for frame in frames:
        waiting = gathering.add(waiting, Prediction(frame))
        decision = policy.decide(waiting, 0.1)
        if decision is not None:
            return decision, waiting.frames_used
    return None, waiting.frames_used


def test_it_stops_early_when_no_further_frame_can_change_the_answer() -> None:
    settings = DecisionSettings(min_confidence=0.9, min_margin=0.0, max_frames=10)
    torn = [np.array(one, np.float32) for one in ((0.9, 0.1, 0), (0.1, 0.9, 0)) * 5]
    decision, num_frames = decided(settings, Method.VOTE, torn)
    assert decision is not None
    assert (decision.outcome, num_frames) == (Outcome.UNKNOWN, 4), "8 of 10 votes are the most that is left"


@pytest.mark.parametrize("costs", [{}, COSTS.costs])
@pytest.mark.parametrize(("third", "outcome", "num_frames"), [(0, Outcome.ACCEPTED, 4), (2, Outcome.UNKNOWN, 3)])
def test_it_waits_exactly_as_long_as_enough_frames_can_still_agree(
    costs: dict[str, dict[str, float]], third: int, outcome: Outcome, num_frames: int
) -> None:
    settings = DecisionSettings(costs=costs, min_frames=3, max_frames=4)
    frames = [np.eye(3, dtype=np.float32)[winner] for winner in (1, 0, third, 0)]
    decision, num_taken = decided(settings, Method.VOTE, frames)
    assert decision is not None
    assert (decision.outcome, num_taken) == (outcome, num_frames)


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("costs", [{}, COSTS.costs])
@given(
    frames=st.lists(st.lists(st.floats(0.001, 1), min_size=3, max_size=3), min_size=12, max_size=12),
    min_confidence=st.floats(0.3, 1),
    leave_cost=st.floats(0, 1),
)
def test_nothing_that_was_given_up_early_would_have_been_accepted_later(
    method: Method,
    costs: dict[str, dict[str, float]],
    frames: list[list[float]],
    min_confidence: float,
    leave_cost: float,
) -> None:
    settings = DecisionSettings(
        min_confidence=min_confidence, costs=costs, leave_cost=leave_cost, max_frames=len(frames)
    )
    scores = [np.array(frame, np.float32) / np.float32(sum(frame)) for frame in frames]
    decision, num_frames = decided(settings, method, scores)
    assert decision is not None
    if decision.outcome is Outcome.ACCEPTED:
        return
    patient, gathering = DecisionPolicy(settings, LABELS, ROUTING), Gathering(SmoothingSettings(method=method))
    waiting = Item(1, 0.0, 0.0)
    for index, frame in enumerate(scores):
        waiting = gathering.add(waiting, Prediction(frame))
        later = patient.decide(waiting, 0.1)
        assert index < num_frames - 1 or later is None or later.outcome is Outcome.UNKNOWN
