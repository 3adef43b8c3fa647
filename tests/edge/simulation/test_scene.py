"""What happens on the stage is what the visits say, and the same seed gives it again."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from edge.messages import Image
from edge.simulation import Conditions, Cutout, Plan, Scene
from tests.edge.simulation.grounds import GROUNDS, render_ground

WIDTH, HEIGHT = 160, 120
PLAN = Plan(width_px=WIDTH, height_px=HEIGHT, rate_hz=12.0, lead_s=0.5, hand_only_share=0.0)
# A camera that adds nothing of its own, so that a frame is the scene.
CLEAR = Conditions(
    exposure_drift=0, cast=0, flicker=0, noise=0, jitter_px=0, blur_px=0, jpeg_quality=100, exposure_step=0
)
GROUND: Image = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)


def item(label: str = "can") -> Cutout:
    return Cutout(np.full((40, 60, 3), (20, 40, 160), np.uint8), np.ones((40, 60), np.float32), label, f"{label}.jpg")


def covered(image: Image) -> float:
    """The share of the picture where the item's color is."""
    return float(np.mean(image[..., 0].astype(int) < 90))


def test_the_same_seed_gives_the_same_frames_and_another_one_others() -> None:
    scenes = [Scene([item()], GROUND, PLAN, Conditions(), seed) for seed in (3, 3, 4)]
    first, again, other = ([frame.image for frame in scene.frames()] for scene in scenes)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=False))


def test_every_item_comes_rests_and_goes_when_its_visit_says() -> None:
    scene = Scene([item("can"), item("jar")], GROUND, PLAN, CLEAR, seed=1)
    assert [visit.items[0].label for visit in scene.visits] == ["can", "jar"]
    for before, after in zip(scene.visits, scene.visits[1:], strict=False):
        assert before.enters_s < before.settled_s < before.leaves_s < before.gone_s < after.enters_s
    frames = list(scene.frames())
    for frame in frames:
        resting = any(visit.settled_s + 0.02 < frame.captured_at_s < visit.leaves_s for visit in scene.visits)
        empty = not any(visit.enters_s <= frame.captured_at_s <= visit.gone_s for visit in scene.visits)
        assert not resting or covered(frame.image) > 0.02
        assert not empty or covered(frame.image) == 0


def test_the_box_of_a_visit_is_where_the_item_rests() -> None:
    scene = Scene([item()], GROUND, PLAN, CLEAR, seed=5)
    (visit,) = scene.visits
    middle_s = (visit.settled_s + visit.leaves_s) / 2
    frame = min(scene.frames(), key=lambda one: abs(one.captured_at_s - middle_s))
    rows, columns = np.nonzero(frame.image[..., 0].astype(int) < 90)
    box = scene.box_of(visit)
    # The rim of the item is blended with the ground over a pixel or two.
    assert (columns.min(), rows.min()) == pytest.approx((box.x, box.y), abs=3)
    assert (columns.max() + 1, rows.max() + 1) == pytest.approx((box.x + box.width, box.y + box.height), abs=3)


def test_an_item_at_rest_does_not_move() -> None:
    scene = Scene([item()], GROUND, PLAN, CLEAR, seed=2)
    (visit,) = scene.visits
    resting = [
        frame.image for frame in scene.frames() if visit.settled_s + 0.05 < frame.captured_at_s < visit.leaves_s - 0.05
    ]
    assert len(resting) > 10
    assert all(np.array_equal(resting[0], image) for image in resting)


def test_hands_come_alone_and_items_in_pairs_as_often_as_the_plan_says() -> None:
    alone = Scene([item()] * 20, GROUND, replace(PLAN, hand_only_share=0.4), CLEAR, seed=6)
    num_alone = sum(not visit.items for visit in alone.visits)
    assert sum(len(visit.items) for visit in alone.visits) == 20
    assert 0.2 < num_alone / len(alone.visits) < 0.6  # of some 33 draws at 0.4
    pairs = Scene([item()] * 20, GROUND, replace(PLAN, pair_share=1.0), CLEAR, seed=6)
    assert {len(visit.items) for visit in pairs.visits} == {2}


def test_without_items_there_is_nothing_to_see() -> None:
    scene = Scene([], GROUND, PLAN, CLEAR)
    assert scene.visits == ()
    assert all(np.array_equal(frame.image, GROUND) for frame in scene.frames())


@pytest.mark.parametrize("name", GROUNDS)
def test_every_ground_can_be_drawn_and_comes_again_from_its_seed(name: str) -> None:
    drawn, again = (render_ground(name, np.random.default_rng(8), WIDTH, HEIGHT) for _ in range(2))
    assert drawn.shape == (HEIGHT, WIDTH, 3)
    assert drawn.dtype == np.uint8
    assert np.array_equal(drawn, again)
    assert 0 < drawn.mean() < 255


@pytest.mark.parametrize(("width_px", "height_px"), [(1280, 720), (480, 640)])
def test_in_a_picture_of_any_size_items_are_seen_whole_and_leave_it(width_px: int, height_px: int) -> None:
    plan = replace(PLAN, width_px=width_px, height_px=height_px, scale=(0.75, 0.75))
    scene = Scene([item()] * 8, GROUND, plan, CLEAR, seed=3)
    for visit in scene.visits:
        box = scene.box_of(visit)
        assert box.width > 0
        assert max(box.width, box.height) <= 0.75 * math.sqrt(2) * min(width_px, height_px)
        for at_s in (visit.enters_s, visit.gone_s):
            assert covered(scene.exposed(at_s).astype(np.uint8)) == 0


def test_an_arm_reaches_as_far_over_an_upright_picture_as_over_a_wide_one() -> None:
    """It ended within a picture of 720 x 1280 pixels."""
    upright, wide = (
        Scene([item()], GROUND, replace(PLAN, width_px=width_px, height_px=height_px), CLEAR, seed=3)
        for width_px, height_px in ((720, 1280), (1280, 720))
    )
    assert upright.visits[0].arm_scale == wide.visits[0].arm_scale


def test_a_long_scene_holds_no_more_pictures_than_a_short_one() -> None:
    scene = Scene([item()] * 12, GROUND, PLAN, CLEAR, seed=3)
    resting_s = [(visit.settled_s + visit.leaves_s) / 2 for visit in scene.visits]
    tracemalloc.start()
    try:
        for at_s in resting_s:
            scene.exposed(at_s)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 3 * GROUND.size * np.dtype(np.float32).itemsize
