"""Items that pass are told apart, decided once, at the line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.deciding.decision import DecisionPolicy, DecisionSettings
from edge.deciding.routing import route
from edge.items.passing import PassingTracker
from edge.items.smoothing import SmoothingSettings
from edge.items.tracking import Direction, ItemSettings, Mode, Target
from edge.messages import Box, Item, Outcome, Phase, Prediction, Presence

REGION = Box(0, 0, 640, 360)
FRAME_S = 1 / 15
CAN = Prediction(np.array([0.9, 0.1], np.float32))


def seen(*things: Box) -> Presence:
    """What presence says of these things, each clipped to the region; those out of sight are left out."""
    clipped = tuple(box for thing in things if (box := clip(thing)).width > 0 and box.height > 0)
    return Presence(Phase.MOVING, clipped[0], 0.1, 1.0, clipped, REGION) if clipped else Presence(Phase.EMPTY)


def clip(box: Box) -> Box:
    left, top = max(box.x, 0), max(box.y, 0)
    right, bottom = min(box.x + box.width, REGION.width), min(box.y + box.height, REGION.height)
    return Box(left, top, right - left, bottom - top)


def moving(start_x: int, y: int, step_x: int, num_frames: int, *, step_y: int = 0) -> list[Box]:
    return [Box(start_x + step_x * index, y + step_y * index, 80, 60) for index in range(num_frames)]


def tracker(line: float = 0.5, direction: Direction = Direction.AUTO) -> PassingTracker:
    return PassingTracker(ItemSettings(Mode.PASSING, line, direction), SmoothingSettings())


def played(passing: PassingTracker, clips: Sequence[Presence]) -> Iterator[tuple[int, Item, Target | None]]:
    """Frame, item and target whenever a decision is due."""
    for index, presence in enumerate(clips):
        target = passing.follow(presence, index * FRAME_S)
        if target is not None:
            passing.add(target, CAN)
        for item in passing.waiting():
            yield index, item, target
            passing.close(item.item_id)


def decided(passing: PassingTracker, *paths: Sequence[Box]) -> list[tuple[int, Item]]:
    clips = [seen(*things) for things in zip(*paths, strict=True)] + [seen()] * 8
    return [(index, item) for index, item, _ in played(passing, clips)]


@pytest.mark.parametrize(("start_x", "step_x"), [(-80, 20), (640, -20), (-80, 55)])
def test_an_item_is_decided_once_when_its_middle_crosses_the_line(start_x: int, step_x: int) -> None:
    path = moving(start_x, 150, step_x, 720 // abs(step_x) + 1)
    [(index, item)] = decided(tracker(), path)
    assert item.has_passed
    crosses = next(i for i, box in enumerate(path) if (box.x + 40 - 320) * step_x >= 0)
    assert index == crosses
    assert item.frames_used >= 3


def test_a_long_tilted_thing_that_comes_into_view_does_not_go_down() -> None:
    """Its visible part grew downward; it was taken to go that way, and decided at the rim without a frame."""
    comes_in = [Box(0, 107, 14, 66), Box(0, 86, 33, 160), Box(0, 82, 47, 230), Box(0, 82, 65, 250)]
    path = comes_in + [Box(20 * index, 82, 80, 250) for index in range(33)]
    [(index, item)] = decided(tracker(), path)
    assert path[index].x + 40 >= 320
    assert item.frames_used >= 3


def test_a_thing_larger_than_the_belt_that_comes_into_view_does_not_go_down() -> None:
    """Cut off above, its visible part grew downward, and it was decided at the rim without a frame."""
    comes_in = [Box(0, 0, 16, 192), Box(0, 0, 28, 232), Box(0, 0, 40, 252), Box(0, 0, 52, 360)]
    path = comes_in + [Box(12 * index - 120, 0, 180, 360) for index in range(67)]
    [(index, item)] = decided(tracker(), path)
    assert path[index].x + 90 >= 320
    assert item.frames_used >= 3


def test_the_corners_in_which_a_tilted_large_thing_comes_into_view_are_one_item() -> None:
    """They are apart until its middle is there; each was decided, one of them as going up."""
    before = moving(-80, 150, 20, 37)
    corners = [(Box(0, 360 - 12 * i, 14 * i, 12 * i), Box(0, 0, 14 * i, 10 * i)) for i in range(1, 12)]
    both = [(Box(0, 0, 14 * i, 360),) for i in range(12, 31)] + [(Box(14 * i, 0, 420, 360),) for i in range(46)]
    clips = (
        [seen(box) for box in before] + [seen()] * 8 + [seen(*things) for things in [*corners, *both]] + [seen()] * 8
    )
    (_, small, _), (index, large, _) = played(tracker(), clips)
    assert small.has_passed
    assert large.has_passed
    assert index > len(before) + 8 + len(corners) + 19
    assert large.frames_used >= 3


def test_what_passed_without_a_usable_frame_has_timed_out() -> None:
    """A thing longer than the picture is never seen whole."""
    path = [Box(-700 + 20 * index, 150, 700, 60) for index in range(68)]
    [(_, item)] = decided(tracker(), path)
    labels = ("can", "cup")
    decision = DecisionPolicy(DecisionSettings(), labels, route({}, labels, "rest")).decide(item, 3.0)
    assert decision is not None
    assert (decision.outcome, decision.label, decision.bin) == (Outcome.TIMEOUT, None, "rest")


def test_it_may_also_fall_down_a_chute() -> None:
    path = moving(200, -60, 0, 30, step_y=20)
    [(_, item)] = decided(tracker(direction=Direction.DOWN), path)
    assert item.has_passed


def test_a_line_at_the_far_rim_decides_when_the_item_has_gone() -> None:
    path = moving(-80, 150, 20, 37)
    [(index, item)] = decided(tracker(line=1.0), path)
    assert item.has_passed
    assert index >= 36


def test_what_is_taken_away_before_the_line_has_left() -> None:
    [(_, item)] = decided(tracker(), moving(-80, 150, 20, 12))
    assert item.has_left
    assert not item.has_passed


def test_what_a_belt_that_goes_back_brings_again_has_not_passed_again() -> None:
    passes, returns, leaves = moving(-80, 150, 20, 40), moving(600, 150, -20, 7), moving(500, 150, 20, 9)
    (_, first), (_, again) = decided(tracker(), [*passes, *[passes[-1]] * 8, *returns, *leaves])
    assert first.has_passed
    assert again.has_left
    assert not again.has_passed


def test_what_goes_back_before_the_line_has_left() -> None:
    comes = moving(-80, 150, 20, 14)
    [(_, item)] = decided(tracker(), [*comes, *reversed(comes), Box(-110, 150, 80, 60)])
    assert item.has_left
    assert not item.has_passed


def test_what_does_not_travel_is_no_item() -> None:
    assert decided(tracker(), [Box(200 + index % 2, 100, 80, 60) for index in range(60)]) == []


def test_two_in_sight_are_two_items_in_the_order_in_which_they_come() -> None:
    ahead, behind = moving(-80, 150, 20, 60), moving(-300, 150, 20, 60)
    assert [item.item_id for _, item in decided(tracker(), ahead, behind)] == [1, 2]


def test_one_that_overtakes_another_keeps_its_own_decision() -> None:
    slow, fast = moving(-80, 150, 8, 100), moving(-400, 150, 20, 100)
    found = decided(tracker(), [*slow], [*fast])
    assert len(found) == 2
    assert all(item.has_passed for _, item in found)


def test_a_reflection_alongside_is_no_item_of_its_own() -> None:
    item = moving(-80, 150, 20, 45)
    reflection = [Box(box.x + 10, 235, 90, 15) for box in item]
    assert len(decided(tracker(), item, reflection)) == 1


def test_a_thing_that_falls_apart_for_some_frames_stays_one_item() -> None:
    path = moving(-80, 150, 20, 45)
    clips = [
        seen(Box(box.x, box.y, 35, 60), Box(box.x + 45, box.y, 35, 60)) if index % 3 == 0 else seen(box)
        for index, box in enumerate(path)
    ]
    assert len(list(played(tracker(), clips + [seen()] * 8))) == 1


def test_a_part_of_its_shadow_that_shows_for_some_frames_behind_an_item_is_no_item() -> None:
    """It went along with the item for three frames, far enough to count, and was decided as a second one."""
    path = [Box(20 * index - 110, 30, 110, 300) for index in range(45)]
    clips = [
        seen(box, Box(box.x - 80, 60, 40, 40)) if index in {20, 21, 22, 23} else seen(box)
        for index, box in enumerate(path)
    ]
    assert len(list(played(tracker(), clips + [seen()] * 8))) == 1


@pytest.mark.parametrize("since", [0, 25])
def test_items_beside_a_stripe_of_sun_along_the_belt_are_told_apart(since: int) -> None:
    """All of them were taken for a part of the stripe, which lies still, and nothing was decided any more."""
    first, second, third = (moving(start, 100, 20, 80) for start in (-80, -380, -680))
    stripe = Box(40, 200, 600, 30)
    clips = [
        seen(*things, stripe) if index >= since else seen(*things)
        for index, things in enumerate(zip(first, second, third, strict=True))
    ]
    found = [item for _, item, _ in played(tracker(), clips + [seen(stripe)] * 8)]
    assert [item.has_passed for item in found] == [True] * 3
    assert all(item.frames_used >= 3 for item in found)


def test_only_frames_with_the_whole_item_in_sight_are_classified() -> None:
    passing = tracker()
    for index, box in enumerate(moving(-80, 150, 20, 45)):
        target = passing.follow(seen(box), index * FRAME_S)
        assert target is None or (target.box == box and box.x > 0 and box.x + box.width < REGION.width)


def test_when_the_source_ends_what_has_not_passed_has_left() -> None:
    passing = tracker()
    assert list(played(passing, [seen(box) for box in moving(-80, 150, 20, 12)])) == []
    passing.end()
    assert [item.has_left for item in passing.waiting()] == [True]


def test_a_prediction_for_what_does_not_wait_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="does not wait"):
        tracker().add(Target(7, None), CAN)


def missing(paths: Sequence[Sequence[Box]], *blind_frames: int) -> list[Presence]:
    """The paths' frames, of which presence misses some, and an empty belt after them."""
    things = enumerate(zip(*paths, strict=True))
    return [seen() if index in blind_frames else seen(*boxes) for index, boxes in things] + [seen()] * 8


def test_one_that_comes_in_close_behind_the_very_first_is_no_piece_of_it() -> None:
    first, second = moving(7, 100, 51, 14), moving(-110, 100, 51, 14)
    assert len(list(played(tracker(), missing([first, second], 2, 4)))) == 2


def test_one_that_comes_in_where_the_first_one_was_is_not_taken_for_it() -> None:
    first, second = moving(28, 100, 60, 12), moving(-173, 100, 60, 12)
    assert [item.has_passed for _, item, _ in played(tracker(), missing([first, second], 1))] == [True, True]


def test_the_very_first_one_is_not_looked_for_at_the_rim_when_it_lies_in_the_middle() -> None:
    first, second = moving(-4, 100, 56, 12), moving(-182, 100, 56, 12)
    assert [item.has_passed for _, item, _ in played(tracker(), missing([first, second], 1, 3))] == [True, True]


@settings(max_examples=60)
@given(
    gaps=st.lists(st.integers(30, 500), min_size=1, max_size=6),
    heights=st.lists(st.integers(0, 300), min_size=6, max_size=6),
    step=st.integers(5, 60),
    is_leftward=st.booleans(),
    is_missed=st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_over_any_row_of_items_each_is_decided_once(
    *,
    gaps: list[int],
    heights: list[int],
    step: int,
    is_leftward: bool,
    is_missed: list[bool],
) -> None:
    """Items one behind the other at any distance, where presence misses single frames."""
    starts = [-80 - sum(gaps[: index + 1]) - 80 * index for index in range(len(gaps))]
    num_frames = (640 - starts[-1]) // step + 2
    clips = []
    for index in range(num_frames):
        boxes = [Box(x + step * index, y, 80, 60) for x, y in zip(starts, heights, strict=False)]
        if is_leftward:
            boxes = [Box(640 - box.x - box.width, box.y, box.width, box.height) for box in boxes]
        is_blind = is_missed[index % 40] and not is_missed[(index - 1) % 40]
        clips.append(Presence(Phase.EMPTY) if is_blind else seen(*boxes))
    found = [item for _, item, _ in played(tracker(), clips + [seen()] * 8)]
    assert [item.has_passed for item in found] == [True] * len(gaps)
