"""Items begin at rest, end with an empty scene, and are given until they were decided."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.deciding.decision import DecisionPolicy, DecisionSettings
from edge.deciding.routing import route
from edge.items.decided import SAME_LIKENESS, likeness
from edge.items.resting import RestTracker
from edge.items.smoothing import SmoothingSettings
from edge.items.tracking import Target
from edge.messages import Box, Item, Outcome, Phase, Prediction, Presence

BOX = Box(10, 10, 50, 50)
FRAME_S = 1 / 12


CAN, CUP = np.array([1, 0.2, 0], np.float32), np.array([0, 0.3, 1], np.float32)
"""Looks: the cosine between them is 0.06."""


def seen(
    phase: Phase, sharpness: float = 100.0, still_s: float = 0.0, *, has_arm: bool = False, box: Box = BOX
) -> Presence:
    if phase is Phase.EMPTY:
        return Presence(phase)
    return Presence(phase, box, 0.1, sharpness, still_s=still_s, has_arm=has_arm)


def prediction(*scores: float, look: NDArray[np.float32] | None = None) -> Prediction:
    return Prediction(np.array(scores, np.float32), look)


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


def test_what_is_there_when_the_camera_comes_back_has_come_then() -> None:
    tracker = RestTracker(SmoothingSettings())
    lost = followed(tracker, Phase.SETTLED, 1.0)
    assert lost is not None
    tracker.end()
    tracker.close(lost.item_id)
    found = followed(tracker, Phase.SETTLED, 3600.0)
    assert found is not None
    assert found.first_seen_s == 3600.0


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


def shown(tracker: RestTracker, presence: Presence, at_s: float, look: NDArray[np.float32]) -> tuple[Item, ...]:
    """One frame of a thing with this look; what waits after it."""
    target = tracker.follow(presence, at_s)
    if target is not None:
        tracker.add(target, prediction(0.9, 0.1, look=look))
    return tracker.waiting()


def decided_as(phase: Phase, look: NDArray[np.float32], same_likeness: float = SAME_LIKENESS) -> RestTracker:
    """A tracker before which something with this look was decided, as one or several, and has moved since."""
    tracker = RestTracker(SmoothingSettings(many_after_s=0.1), same_likeness)
    for at_s in (0.0, 0.1):
        waiting = shown(tracker, seen(phase, still_s=0.3), at_s, look)
    (item,) = waiting
    assert item.is_many == (phase is Phase.MANY)
    tracker.close(item.item_id)
    assert shown(tracker, seen(Phase.MOVING), 0.9, look) == ()
    return tracker


def test_what_looks_otherwise_after_it_moved_is_the_next_item() -> None:
    tracker = decided_as(Phase.SETTLED, CAN)
    early = seen(Phase.MOVING, still_s=0.1)
    assert shown(tracker, early, 1.0, CUP) == shown(tracker, early, 1.1, CUP) == ()
    (item,) = shown(tracker, seen(Phase.SETTLED, still_s=0.3), 1.2, CUP)
    assert (item.first_seen_s, item.settled_s, item.frames_used) == (0.9, 1.2, 3)


def test_what_was_pushed_is_not_given_again() -> None:
    tracker = decided_as(Phase.SETTLED, CAN)
    pushed = CAN + np.float32(0.4) * CUP
    for at_s in np.arange(1.0, 3.0, 0.1):
        assert shown(tracker, seen(Phase.SETTLED, still_s=at_s - 0.7), at_s, pushed) == ()


def test_what_looks_only_a_little_like_it_took_its_place() -> None:
    tracker = decided_as(Phase.SETTLED, CAN)
    rather_unlike = CAN + np.float32(1.3) * CUP
    assert 0.6 < likeness(CAN, rather_unlike) < 0.65
    for at_s in (1.0, 1.1, 1.2):
        waiting = shown(tracker, seen(Phase.SETTLED, still_s=at_s - 0.7), at_s, rather_unlike)
    assert [item.frames_used for item in waiting] == [3]


@pytest.mark.parametrize(("same_likeness", "num_waiting"), [(0.6, 0), (0.99, 1)])
def test_how_like_one_thing_is_to_itself_the_network_says(same_likeness: float, num_waiting: int) -> None:
    """One that sees little has all things alike, one that was hardly trained has a pushed thing look otherwise."""
    tracker = decided_as(Phase.SETTLED, CAN, same_likeness)
    between = CAN + np.float32(1.0) * CUP
    assert 0.7 < likeness(CAN, between) < 0.75
    for at_s in (1.0, 1.1, 1.2):
        waiting = shown(tracker, seen(Phase.SETTLED, still_s=at_s - 0.7), at_s, between)
    assert len(waiting) == num_waiting


def test_one_frame_that_looks_otherwise_is_not_enough() -> None:
    tracker = decided_as(Phase.SETTLED, CAN)
    for at_s, look in ((1.0, CUP), (1.1, CUP), (1.2, CAN), (1.3, CUP), (1.4, CUP), (1.5, CUP)):
        assert shown(tracker, seen(Phase.SETTLED, still_s=at_s - 0.7), at_s, look) == ()


def test_an_arm_that_rests_on_what_was_decided_is_waited_out() -> None:
    tracker = decided_as(Phase.SETTLED, CAN)
    for at_s in np.arange(1.0, 3.0, 0.1):
        assert shown(tracker, seen(Phase.SETTLED, still_s=at_s - 0.7, has_arm=True), at_s, CUP) == ()
    assert shown(tracker, seen(Phase.MOVING), 3.0, CUP) == ()
    for at_s in np.arange(3.1, 5.0, 0.1):
        assert shown(tracker, seen(Phase.SETTLED, still_s=at_s - 2.8), at_s, CAN) == ()


def test_several_over_which_a_hand_reaches_are_told_once() -> None:
    tracker = decided_as(Phase.MANY, CAN)
    for at_s in np.arange(1.0, 3.0, 0.1):
        assert shown(tracker, seen(Phase.MANY, still_s=at_s - 0.7), at_s, CAN) == ()


def test_several_others_are_told_anew() -> None:
    tracker = decided_as(Phase.MANY, CAN)
    for at_s in np.arange(1.0, 2.0, 0.1):
        waiting = shown(tracker, seen(Phase.MANY, still_s=at_s - 0.7), at_s, CUP)
    assert [item.is_many for item in waiting] == [True]


def test_one_item_that_is_joined_by_another_is_told_to_be_several() -> None:
    tracker = decided_as(Phase.SETTLED, CAN)
    for at_s in np.arange(1.0, 2.0, 0.1):
        waiting = shown(tracker, seen(Phase.MANY, still_s=at_s - 0.7), at_s, CAN + np.float32(0.5) * CUP)
    assert waiting == ()
    for at_s in np.arange(2.0, 3.0, 0.1):
        waiting = shown(tracker, seen(Phase.MOVING if at_s < 2.2 else Phase.MANY, still_s=at_s - 2.2), at_s, CUP)
    assert [(item.is_many, item.frames_used) for item in waiting] == [(True, 0)]


@pytest.mark.parametrize("phase", [Phase.SETTLED, Phase.MANY])
def test_what_may_be_several_must_look_more_alike(phase: Phase) -> None:
    tracker = decided_as(Phase.SETTLED, CAN)
    rather_alike = CAN + np.float32(0.8) * CUP
    for at_s in np.arange(1.0, 2.0, 0.1):
        presence = seen(Phase.MOVING if at_s < 1.2 else phase, still_s=at_s - 0.9)
        waiting = shown(tracker, presence, at_s, rather_alike)
    assert [item.is_many for item in waiting] == ([True] if phase is Phase.MANY else [])


def test_what_remains_of_several_is_the_next_item() -> None:
    tracker = decided_as(Phase.MANY, CAN + CUP)
    for at_s in (1.0, 1.1):
        assert shown(tracker, seen(Phase.MOVING, still_s=at_s - 0.9), at_s, CAN) == ()
    (item,) = shown(tracker, seen(Phase.SETTLED, still_s=0.3), 1.2, CAN)
    assert (item.is_many, item.frames_used) == (False, 3)


def comes_to_lie(
    tracker: RestTracker, begins_s: float, look: NDArray[np.float32], phase: Phase = Phase.SETTLED, box: Box = BOX
) -> bool:
    """Whether what lies there after something moved is an item, which is decided at once."""
    shown(tracker, seen(Phase.MOVING, box=box), begins_s, look)
    for at_s in begins_s + np.arange(0.1, 1.0, 0.1):
        for item in shown(tracker, seen(phase, still_s=at_s - begins_s, box=box), at_s, look):
            tracker.close(item.item_id)
            return True
    return False


@pytest.mark.parametrize("phase", [Phase.SETTLED, Phase.MANY])
def test_what_was_left_lying_is_decided_once_whatever_comes_and_goes_beside_it(phase: Phase) -> None:
    """A label that sticks to the flap, while can after can lies beside it and is taken away."""
    tracker = RestTracker(SmoothingSettings(many_after_s=0.1))
    assert comes_to_lie(tracker, 0.0, CUP)
    beside, trembled = Box(10, 10, 200, 50), Box(12, 9, 47, 52)
    for begins_s in (1.0, 3.0, 5.0):
        assert comes_to_lie(tracker, begins_s, CAN, phase, beside)
        assert not comes_to_lie(tracker, begins_s + 1, CUP, box=trembled)


def test_what_looks_like_an_earlier_one_and_lies_elsewhere_is_the_next_item() -> None:
    tracker = RestTracker(SmoothingSettings())
    assert comes_to_lie(tracker, 0.0, CUP)
    assert comes_to_lie(tracker, 1.0, CAN)
    assert comes_to_lie(tracker, 2.0, CUP, box=Box(80, 10, 50, 50))


def test_after_an_empty_scene_nothing_is_left_of_earlier_ones() -> None:
    tracker = RestTracker(SmoothingSettings())
    assert comes_to_lie(tracker, 0.0, CUP)
    assert comes_to_lie(tracker, 1.0, CAN)
    tracker.follow(seen(Phase.EMPTY), 2.0)
    assert comes_to_lie(tracker, 3.0, CUP)


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
        presence = seen(phase, float(chance.uniform(1, 100)), still_s, has_arm=bool(chance.random() < 0.1))
        target = tracker.follow(presence, index * FRAME_S)
        if target is not None:
            look = (None, CAN, CUP)[chance.integers(3)]
            tracker.add(target, prediction(*chance.dirichlet([0.5, 0.5, 0.5]), look=look))
        for item in tracker.waiting():
            assert item.is_many or item.scores is not None, "what waits was looked at: it cannot time out"
            if item.item_id not in begun:
                begun.append(item.item_id)
            decision = policy.decide(item, index * FRAME_S)
            if decision is not None:
                decided.append((decision.item_id, decision.outcome))
                tracker.close(item.item_id)
    assert [item_id for item_id, _ in decided] == begun == sorted(set(begun))
