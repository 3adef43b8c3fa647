"""Items begin at rest, end with an empty scene, and gather evidence in between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.decision import DecisionPolicy, DecisionSettings
from edge.messages import Box, Item, Outcome, Phase, Prediction, Presence
from edge.routing import route
from edge.smoothing import Evidence, ItemTracker, Method, SmoothingSettings, evidence_maker

BOX = Box(10, 10, 50, 50)
FRAME_S = 1 / 12


def seen(phase: Phase, sharpness: float = 100.0) -> Presence:
    return Presence(phase) if phase is Phase.EMPTY else Presence(phase, BOX, 0.1, sharpness)


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def filled(method: Method, *frames: np.ndarray) -> tuple[Evidence, np.ndarray]:
    evidence = evidence_maker(SmoothingSettings(method=method, ema_weight=0.5))()
    smoothed = frames[0]
    for frame in frames:
        smoothed = evidence.add(frame)
    return evidence, smoothed


def test_mean_log_prob_is_the_normalized_geometric_mean() -> None:
    evidence, smoothed = filled(Method.MEAN_LOG_PROB, scores(0.9, 0.1), scores(0.4, 0.6))
    assert smoothed == pytest.approx([0.7101, 0.2899], abs=1e-4)  # sqrt(.36) : sqrt(.06)
    assert evidence.agreeing == 1


def test_one_frame_that_is_sure_of_a_mistake_does_not_outvote_five_others() -> None:
    _, smoothed = filled(Method.MEAN_LOG_PROB, scores(0.0, 1.0), *[scores(0.9, 0.1)] * 5)
    assert smoothed[0] > 0.5


def test_ema_fades_old_frames() -> None:
    evidence, smoothed = filled(Method.EMA, scores(1, 0), scores(0, 1), scores(0, 1))
    assert smoothed == pytest.approx([0.25, 0.75])
    assert evidence.agreeing == 2


def test_vote_counts_winners_however_sure_they_are() -> None:
    evidence, smoothed = filled(Method.VOTE, scores(0.51, 0.49), scores(0.51, 0.49), scores(0.01, 0.99))
    assert smoothed == pytest.approx([2 / 3, 1 / 3])
    assert evidence.agreeing == 2


def test_consecutive_starts_again_when_another_class_wins() -> None:
    evidence, smoothed = filled(Method.CONSECUTIVE, scores(0.9, 0.1), scores(0.2, 0.8), scores(0.4, 0.6))
    assert smoothed == pytest.approx([0.3, 0.7])
    assert evidence.agreeing == 2


@pytest.mark.parametrize("method", Method)
@given(frames=st.lists(st.lists(st.floats(0.001, 1), min_size=4, max_size=4), min_size=1, max_size=12))
def test_smoothed_scores_stay_a_distribution(method: Method, frames: list[list[float]]) -> None:
    normalized = [scores(*frame) / np.float32(sum(frame)) for frame in frames]
    evidence, smoothed = filled(method, *normalized)
    assert smoothed.dtype == np.float32
    assert smoothed.sum() == pytest.approx(1, abs=1e-4)  # float32 sums of up to 12 frames
    assert 0 <= evidence.agreeing <= len(frames)


def test_what_only_moves_never_becomes_an_item() -> None:
    tracker = ItemTracker(SmoothingSettings())
    assert all(tracker.follow(seen(Phase.MOVING), frame * FRAME_S) is None for frame in range(200))


def test_an_item_begins_when_it_settles_and_remembers_when_it_came() -> None:
    tracker = ItemTracker(SmoothingSettings())
    tracker.follow(seen(Phase.MOVING), 1.0)
    item = tracker.follow(seen(Phase.SETTLED), 1.5)
    assert item is not None
    assert (item.first_seen_s, item.settled_s) == (1.0, 1.5)


def test_a_decided_item_is_not_given_again_before_the_scene_was_empty() -> None:
    tracker = ItemTracker(SmoothingSettings())
    assert tracker.follow(seen(Phase.SETTLED), 0.0) is not None
    tracker.close()
    for phase in (Phase.SETTLED, Phase.MOVING, Phase.SETTLED):
        assert tracker.follow(seen(phase), 0.1) is None
    assert tracker.follow(seen(Phase.EMPTY), 0.4) is None
    again = tracker.follow(seen(Phase.SETTLED), 1.0)
    assert again is not None
    assert again.item_id == 2


def test_an_item_that_goes_before_it_was_decided_has_left() -> None:
    tracker = ItemTracker(SmoothingSettings())
    tracker.follow(seen(Phase.SETTLED), 0.0)
    item = tracker.follow(seen(Phase.EMPTY), 0.1)
    assert item is not None
    assert item.has_left
    tracker.close()
    assert tracker.follow(seen(Phase.SETTLED), 0.4) is not None


def test_several_at_once_count_only_when_they_stay_several() -> None:
    tracker = ItemTracker(SmoothingSettings(many_after_s=0.5))
    assert tracker.follow(seen(Phase.MANY), 0.0) is None
    assert tracker.follow(seen(Phase.SETTLED), 0.1) is not None
    single = tracker.follow(seen(Phase.MANY), 0.2)
    assert single is not None
    assert not single.is_many
    several = tracker.follow(seen(Phase.MANY), 0.75)
    assert several is not None
    assert several.is_many


def test_what_remains_of_several_is_a_new_item_once_something_moved() -> None:
    tracker = ItemTracker(SmoothingSettings(many_after_s=0.0))
    tracker.follow(seen(Phase.MANY), 0.0)
    tracker.close()
    assert tracker.follow(seen(Phase.SETTLED), 0.1) is None, "nobody touched it: it is still the same heap"
    assert tracker.follow(seen(Phase.MOVING), 0.2) is None
    remaining = tracker.follow(seen(Phase.SETTLED), 0.5)
    assert remaining is not None
    assert not remaining.is_many
    assert remaining.first_seen_s == 0.2


def test_a_blurred_frame_is_rejected_and_counted() -> None:
    tracker = ItemTracker(SmoothingSettings(min_relative_sharpness=0.5))
    tracker.follow(seen(Phase.SETTLED), 0.0)
    assert tracker.wants(seen(Phase.SETTLED, 100))
    tracker.add(Prediction(scores(0.7, 0.3)))
    assert not tracker.wants(seen(Phase.SETTLED, 49))
    item = tracker.follow(seen(Phase.SETTLED), 0.1)
    assert item is not None
    assert (item.frames_used, item.frames_rejected) == (1, 1)


def test_a_prediction_without_an_item_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="without an item"):
        ItemTracker(SmoothingSettings()).add(Prediction(scores(0.5, 0.5)))


@given(st.lists(st.tuples(st.sampled_from(Phase), st.integers(1, 30)), max_size=40), st.integers(0, 2**32 - 1))
def test_over_any_stream_each_item_is_decided_once_and_none_is_silent(runs: list[tuple[Phase, int]], seed: int) -> None:
    """Whatever presence says: at most one decision an item, and none missing once the scene was empty."""
    chance = np.random.default_rng(seed)
    labels = ("a", "b", "c")
    tracker = ItemTracker(SmoothingSettings())
    policy = DecisionPolicy(DecisionSettings(), labels, route({}, labels, None))
    begun: list[int] = []
    decided: list[tuple[int, Outcome]] = []
    frames = [phase for phase, length in runs for _ in range(length)] + [Phase.EMPTY] * 6
    for index, phase in enumerate(frames):
        now_s = index * FRAME_S
        item = tracker.follow(seen(phase, float(chance.uniform(1, 100))), now_s)
        if item is None:
            continue
        if item.item_id not in begun:
            begun.append(item.item_id)
        item = _classified(tracker, item, seen(phase), chance)
        decision = policy.decide(item, now_s)
        if decision is not None:
            decided.append((decision.item_id, decision.outcome))
            tracker.close()
    assert [item_id for item_id, _ in decided] == begun == sorted(set(begun))


def _classified(tracker: ItemTracker, item: Item, presence: Presence, chance: np.random.Generator) -> Item:
    if not tracker.wants(presence):
        return item
    return tracker.add(Prediction(chance.dirichlet([0.5, 0.5, 0.5]).astype(np.float32)))
