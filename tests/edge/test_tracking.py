"""Items begin at rest, end with an empty scene, and are given until they were decided."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.decision import DecisionPolicy, DecisionSettings
from edge.messages import Box, Item, Outcome, Phase, Prediction, Presence
from edge.routing import route
from edge.smoothing import SmoothingSettings
from edge.tracking import RestTracker, Target

BOX = Box(10, 10, 50, 50)
FRAME_S = 1 / 12


def seen(phase: Phase, sharpness: float = 100.0, still_s: float = 0.0) -> Presence:
    return Presence(phase) if phase is Phase.EMPTY else Presence(phase, BOX, 0.1, sharpness, still_s=still_s)


def prediction(*scores: float) -> Prediction:
    return Prediction(np.array(scores, np.float32))


def followed(tracker: RestTracker, phase: Phase, now_s: float) -> Item | None:
    tracker.follow(seen(phase), now_s)
    return next(iter(tracker.waiting()), None)


def test_what_only_moves_never_becomes_an_item() -> None:
    tracker = RestTracker(SmoothingSettings())
    assert all(followed(tracker, Phase.MOVING, frame * FRAME_S) is None for frame in range(200))


def test_an_item_begins_when_it_settles_and_remembers_when_it_came() -> None:
    tracker = RestTracker(SmoothingSettings())
    tracker.follow(seen(Phase.MOVING), 1.0)
    item = followed(tracker, Phase.SETTLED, 1.5)
    assert item is not None
    assert (item.first_seen_s, item.settled_s) == (1.0, 1.5)


def test_what_lies_still_is_classified_before_it_counts_as_resting() -> None:
    tracker = RestTracker(SmoothingSettings())
    for still_s in (0.08, 0.17, 0.25):
        phase = Phase.SETTLED if still_s == 0.25 else Phase.MOVING
        assert tracker.waiting() == ()
        target = tracker.follow(seen(phase, still_s=still_s), 1.0 + still_s)
        assert target is not None
        tracker.add(target, prediction(0.9, 0.1))
    (item,) = tracker.waiting()
    assert (item.frames_used, item.settled_s) == (3, 1.25)


def test_what_moves_on_is_forgotten_with_all_that_was_made_of_it() -> None:
    tracker = RestTracker(SmoothingSettings())
    target = tracker.follow(seen(Phase.MOVING, still_s=0.08), 0.0)
    assert target is not None
    tracker.add(target, prediction(0.1, 0.9))
    assert tracker.follow(seen(Phase.MOVING), 0.1) is None
    item = followed(tracker, Phase.SETTLED, 0.5)
    assert item is not None
    assert (item.frames_used, item.item_id) == (0, target.item_id + 1)


def test_what_held_still_for_a_moment_and_went_was_no_item() -> None:
    tracker = RestTracker(SmoothingSettings())
    assert tracker.follow(seen(Phase.MOVING, still_s=0.08), 0.0) is not None
    assert followed(tracker, Phase.EMPTY, 0.1) is None
    assert tracker.follow(seen(Phase.MOVING, still_s=0.08), 0.2) is not None
    tracker.end()
    assert tracker.waiting() == ()


def test_a_decided_item_is_not_given_again_before_the_scene_was_empty() -> None:
    tracker = RestTracker(SmoothingSettings())
    assert followed(tracker, Phase.SETTLED, 0.0) is not None
    tracker.close(1)
    for phase in (Phase.SETTLED, Phase.MOVING, Phase.SETTLED):
        assert followed(tracker, phase, 0.1) is None
    assert followed(tracker, Phase.EMPTY, 0.4) is None
    again = followed(tracker, Phase.SETTLED, 1.0)
    assert again is not None
    assert again.item_id == 2


def test_an_item_that_goes_before_it_was_decided_has_left() -> None:
    tracker = RestTracker(SmoothingSettings())
    tracker.follow(seen(Phase.SETTLED), 0.0)
    item = followed(tracker, Phase.EMPTY, 0.1)
    assert item is not None
    assert item.has_left
    tracker.close(item.item_id)
    assert followed(tracker, Phase.SETTLED, 0.4) is not None


def test_several_at_once_count_only_when_they_stay_several() -> None:
    tracker = RestTracker(SmoothingSettings(many_after_s=0.5))
    assert followed(tracker, Phase.MANY, 0.0) is None
    assert followed(tracker, Phase.SETTLED, 0.1) is not None
    single = followed(tracker, Phase.MANY, 0.2)
    assert single is not None
    assert not single.is_many
    several = followed(tracker, Phase.MANY, 0.75)
    assert several is not None
    assert several.is_many


def test_what_remains_of_several_is_a_new_item_once_something_moved() -> None:
    tracker = RestTracker(SmoothingSettings(many_after_s=0.0))
    tracker.follow(seen(Phase.MANY), 0.0)
    tracker.close(1)
    assert followed(tracker, Phase.SETTLED, 0.1) is None, "nobody touched it: it is still the same heap"
    assert followed(tracker, Phase.MOVING, 0.2) is None
    remaining = followed(tracker, Phase.SETTLED, 0.5)
    assert remaining is not None
    assert not remaining.is_many
    assert remaining.first_seen_s == 0.2


def test_a_blurred_frame_is_rejected_and_counted() -> None:
    tracker = RestTracker(SmoothingSettings(min_relative_sharpness=0.5))
    target = tracker.follow(seen(Phase.SETTLED, 100), 0.0)
    assert target == Target(1, BOX)
    tracker.add(target, prediction(0.7, 0.3))
    assert tracker.follow(seen(Phase.SETTLED, 49), 0.1) is None
    assert [(item.frames_used, item.frames_rejected) for item in tracker.waiting()] == [(1, 1)]


def test_a_prediction_without_an_item_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="does not wait"):
        RestTracker(SmoothingSettings()).add(Target(1, BOX), prediction(0.5, 0.5))


@given(st.lists(st.tuples(st.sampled_from(Phase), st.integers(1, 30)), max_size=40), st.integers(0, 2**32 - 1))
def test_over_any_stream_each_item_is_decided_once_and_none_is_silent(runs: list[tuple[Phase, int]], seed: int) -> None:
    """Whatever presence says: at most one decision an item, and none missing once the scene was empty."""
    chance = np.random.default_rng(seed)
    labels = ("a", "b", "c")
    tracker = RestTracker(SmoothingSettings())
    policy = DecisionPolicy(DecisionSettings(), labels, route({}, labels, None))
    begun: list[int] = []
    decided: list[tuple[int, Outcome]] = []
    frames = [phase for phase, length in runs for _ in range(length)] + [Phase.EMPTY] * 6
    for index, phase in enumerate(frames):
        still_s = float(chance.choice([0.0, FRAME_S]))
        target = tracker.follow(seen(phase, float(chance.uniform(1, 100)), still_s), index * FRAME_S)
        if target is not None:
            tracker.add(target, prediction(*chance.dirichlet([0.5, 0.5, 0.5])))
        for item in tracker.waiting():
            if item.item_id not in begun:
                begun.append(item.item_id)
            decision = policy.decide(item, index * FRAME_S)
            if decision is not None:
                decided.append((decision.item_id, decision.outcome))
                tracker.close(item.item_id)
    assert [item_id for item_id, _ in decided] == begun == sorted(set(begun))
