"""Presence on small scenes that are drawn here: 320 x 180 at 12 frames a second, with sensor noise."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError, PictureError
from edge.messages import Box, Frame, Phase
from edge.presence import PresenceDetector, PresenceSettings, Region
from edge.presence.background import Background
from edge.presence.planes import to_log
from edge.presence.stripes import Stripes
from tests.edge.presence.watcher import CAN, HEIGHT, RATE_HZ, WIDTH, Scene, Watcher, ground, overlap, with_item
from tests.edge.simulation.grounds import GROUNDS, render_ground


@pytest.fixture
def watcher() -> Watcher:
    """A detector that has learned the empty scene."""
    watcher = Watcher(PresenceDetector())
    watcher.see(ground(), 2.0)
    assert watcher.detector.has_background
    watcher.phases.clear()
    return watcher


def moved_by(x_px: float, y_px: float) -> Callable[[Scene, float], Scene]:
    matrix = np.array([[1, 0, x_px], [0, 1, y_px]], np.float32)
    return lambda scene, _: cv2.warpAffine(scene, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)


def test_the_empty_scene_is_learned_and_said_to_be_empty_meanwhile() -> None:
    watcher = Watcher(PresenceDetector())
    watcher.see(ground(), 0.5)
    assert not watcher.detector.has_background
    watcher.see(ground(), 1.0)
    assert watcher.detector.has_background
    assert set(watcher.phases) == {Phase.EMPTY}


def test_a_scene_with_a_hand_in_it_is_not_learned() -> None:
    watcher = Watcher(PresenceDetector())
    for step in range(18):
        watcher.see(with_item(ground(), Box(step * 12, 40, 60, 80)), 1 / RATE_HZ)
    assert not watcher.detector.has_background


def test_a_scene_that_never_rests_is_learned_from_its_median() -> None:
    watcher = Watcher(PresenceDetector())
    for step in range(7 * RATE_HZ):
        watcher.see(with_item(ground(), Box(step * 30 % 280, 40, 40, 40)), 1 / RATE_HZ)
    assert watcher.detector.has_background
    assert watcher.see(ground(), 0.5).phase is Phase.EMPTY


def test_a_reference_makes_the_first_frame_count() -> None:
    watcher = Watcher(PresenceDetector(background=ground().astype(np.uint8)))
    watcher.see(with_item(ground()), 1 / RATE_HZ)
    assert watcher.phases == [Phase.MOVING]


def test_a_reference_of_another_size_is_scaled() -> None:
    reference = cv2.resize(ground(), (640, 360)).astype(np.uint8)
    watcher = Watcher(PresenceDetector(background=reference))
    assert watcher.see(ground(), 1.0).phase is Phase.EMPTY
    assert watcher.see(with_item(ground()), 1.0).phase is Phase.SETTLED


def test_an_item_comes_rests_and_goes(watcher: Watcher) -> None:
    for x in (-40, 20, 80):
        watcher.see(with_item(ground(), Box(max(0, x), CAN.y, CAN.width + min(0, x), CAN.height)), 1 / RATE_HZ)
    assert set(watcher.phases) == {Phase.MOVING}
    settled = watcher.see(with_item(ground()), 1.0)
    assert settled.phase is Phase.SETTLED
    assert settled.box is not None
    # The work picture is 160 wide: one of its pixels is two here, on each side.
    assert overlap(settled.box, CAN) > 0.8
    # The mask is up to two work pixels wider all around: (60 + 8) x (40 + 8) over 60 x 40 is 1.36.
    assert settled.area == pytest.approx(CAN.width * CAN.height / (WIDTH * HEIGHT), rel=0.36)
    assert settled.sharpness > 0
    assert watcher.see(ground(), 2 / RATE_HZ).phase is Phase.EMPTY


def test_an_item_is_settled_within_a_third_of_a_second(watcher: Watcher) -> None:
    watcher.see(with_item(ground()), 1.0)
    assert watcher.phases.index(Phase.SETTLED) / RATE_HZ <= 1 / 3


def test_a_slow_movement_is_movement(watcher: Watcher) -> None:
    for step in range(24):
        watcher.see(with_item(ground(), Box(100 + step, 60, 60, 40)), 1 / RATE_HZ)
    assert Phase.SETTLED not in watcher.phases


def with_film(scene: Scene, box: Box) -> Scene:
    """Something little brighter than the ground."""
    scene = scene.copy()
    scene[box.y : box.y + box.height, box.x : box.x + box.width] = (150, 140, 130)
    return scene


def test_what_trembles_rests_on_once_it_has_come_to_rest(watcher: Watcher) -> None:
    """A film that flutters by two pixels: it never comes to rest by itself, and does not leave it for that."""

    def see_trembling() -> list[Phase]:
        watcher.phases.clear()
        for index in range(12):
            there = Box(CAN.x + index % 2 * 2, CAN.y, CAN.width, CAN.height)
            watcher.see(with_film(ground(), there), 1 / RATE_HZ)
        return watcher.phases

    assert set(see_trembling()) == {Phase.MOVING}
    watcher.see(with_film(ground(), CAN), 1.0)
    assert set(see_trembling()) == {Phase.SETTLED}


def test_a_slow_camera_shows_the_empty_scene_four_times_before_it_is_known() -> None:
    """Fewer pictures say nothing about how much it varies by itself."""
    detector, picture = PresenceDetector(), ground().astype(np.uint8)
    knows = []
    for second in range(5):
        detector.update(Frame(second, float(second), picture))
        knows.append(detector.has_background)
    assert knows == [False, False, False, True, True]


def test_a_quarter_of_a_second_is_as_many_frames_whenever_it_begins(watcher: Watcher) -> None:
    """From the 46th frame on three frames are a little less, since no float holds a twelfth."""
    watcher.see(ground(), 22 / RATE_HZ)
    watcher.phases.clear()
    watcher.see(with_item(ground()), 0.5)
    assert watcher.phases.index(Phase.SETTLED) == 0.25 * RATE_HZ


def test_a_glint_that_comes_and_goes_on_an_item_is_no_movement(watcher: Watcher) -> None:
    def glinting(scene: Scene, at_s: float) -> Scene:
        glint = scene.copy()
        glint[80:84, 148:154] = 255 if round(at_s * RATE_HZ) % 2 else 40
        return glint

    assert watcher.see(with_item(ground()), 0.5, glinting).phase is Phase.SETTLED


def test_what_is_laid_on_a_printed_carton_is_a_movement_however_small_beside_the_print(watcher: Watcher) -> None:
    carton = with_item(ground(), Box(100, 50, 120, 80))
    print_ = np.random.default_rng(3).uniform(40, 220, (20, 30)).astype(np.float32).repeat(4, axis=0).repeat(4, axis=1)
    carton[50:130, 100:220] = print_[..., None]
    assert watcher.see(carton, 1.0).phase is Phase.SETTLED
    laid = carton.copy()
    laid[80:104, 150:176] = 250
    assert watcher.see(laid, 1 / RATE_HZ).phase is Phase.MOVING
    assert watcher.see(laid, 1.0).phase is Phase.SETTLED


def test_two_items_apart_are_many_and_one_is_not(watcher: Watcher) -> None:
    one = with_item(ground(), Box(60, 60, 40, 40))
    two = with_item(one, Box(200, 80, 50, 40), (40, 90, 170))
    assert watcher.see(two, 1.0).phase is Phase.MANY
    assert watcher.see(one, 1.0).phase is Phase.SETTLED


@pytest.mark.parametrize(("work_px", "num_things"), [(14_400, 1), (57_600, 2)])
def test_on_more_work_pixels_things_nearer_to_each_other_are_told_apart(work_px: int, num_things: int) -> None:
    watcher = Watcher(PresenceDetector(PresenceSettings(work_px=work_px)))
    watcher.see(ground(), 2.0)
    first, twentieth = Box(80, 60, 60, 60), WIDTH // 20
    second = Box(first.x + first.width + twentieth, 60, 60, 60)
    seen = watcher.see(with_item(with_item(ground(), first), second, (40, 60, 170)), 0.5)
    assert len(seen.things) == num_things


def test_two_items_are_told_apart_where_each_lights_the_ground_between(watcher: Watcher) -> None:
    """What the light surface leaves there is little, but many times what is left elsewhere."""
    first, second = Box(60, 60, 50, 40), Box(200, 80, 60, 40)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    glow = 1 + 0.03 * np.exp(-(((x - 155) / 22) ** 2) - ((y - 90) / 30) ** 2)
    two = with_item(with_item(ground() * glow[..., np.newaxis], first), second, (40, 90, 170))
    assert watcher.see(two, 1.0).phase is Phase.MANY


def test_a_small_item_counts_where_it_is_too_far_off_to_be_a_part(watcher: Watcher) -> None:
    large, pen = Box(20, 50, 90, 70), Box(250, 80, 30, 6)
    assert watcher.see(with_item(with_item(ground(), large), pen, (20, 20, 120)), 1.0).phase is Phase.MANY
    watcher.see(ground(), 1.0)
    crumb_beside = with_item(with_item(ground(), large), Box(128, 80, 18, 8), (20, 20, 120))
    assert watcher.see(crumb_beside, 1.0).phase is Phase.SETTLED


def test_what_lies_along_a_rim_and_is_wider_than_long_is_no_arm(watcher: Watcher) -> None:
    assert watcher.see(with_item(ground(), Box(100, 0, 120, 30)), 0.5).phase is Phase.SETTLED


def test_a_crumb_far_from_a_large_item_is_no_second_one(watcher: Watcher) -> None:
    large, crumb = Box(20, 40, 110, 100), Box(290, 90, 17, 17)
    seen = watcher.see(with_item(with_item(ground(), large), crumb), 1.0)
    assert len(seen.things) == 2
    assert seen.phase is Phase.SETTLED


def test_an_item_of_which_a_seam_of_the_scene_hides_the_middle_is_one() -> None:
    """The edges of the seam may have moved, so that nothing between the two halves is sure."""
    scene = ground() * np.float32(0.2) + 180
    scene[86:94] = (30, 32, 34)
    watcher = Watcher(PresenceDetector(background=scene.clip(0, 255).astype(np.uint8)))
    watcher.see(scene, 0.5)
    across = with_item(scene, Box(120, 50, 60, 80), (150, 140, 130))
    across[86:94] = scene[86:94]
    seen = watcher.see(across, 1.0)
    assert len(seen.things) == 2
    assert seen.phase is Phase.SETTLED


@pytest.mark.parametrize("gain", [0.6, 0.8, 1.25, 1.6])
def test_a_step_of_exposure_is_no_item(watcher: Watcher, gain: float) -> None:
    watcher.see(ground() * np.float32(gain), 2.0)
    assert set(watcher.phases) == {Phase.EMPTY}


def test_a_step_of_white_balance_is_no_item(watcher: Watcher) -> None:
    watcher.see(ground() * np.array([1.15, 1.0, 0.85], np.float32), 2.0)
    assert set(watcher.phases) == {Phase.EMPTY}


def test_a_lamp_at_the_side_is_no_item(watcher: Watcher) -> None:
    side = np.linspace(1.0, 1.5, WIDTH, dtype=np.float32)[None, :, None]
    watcher.see(ground() * side, 2.0)
    assert set(watcher.phases) == {Phase.EMPTY}


def test_slow_drift_and_flicker_are_no_item_and_items_are_still_seen(watcher: Watcher) -> None:
    rng = np.random.default_rng(3)

    def dusk(scene: Scene, at_s: float) -> Scene:
        return scene * np.float32((1 - 0.02 * at_s) * rng.normal(1, 0.02))

    watcher.see(ground(), 20.0, dusk)
    assert set(watcher.phases) == {Phase.EMPTY}
    assert watcher.see(with_item(ground()) * np.float32(0.6), 1.0).phase is Phase.SETTLED


def striped(strength: float, num_periods: float) -> Callable[[Scene, float], Scene]:
    """The stripes of mains light under a rolling shutter: at another place in each frame."""
    rng = np.random.default_rng(5)
    rows = np.arange(HEIGHT) / HEIGHT * 2 * np.pi * num_periods

    def change(scene: Scene, _: float) -> Scene:
        gain = 1 + strength * np.sin(rows + rng.uniform(0, 2 * np.pi))
        return (scene * gain[:, None, None]).astype(np.float32)

    return change


@pytest.mark.parametrize("num_periods", [0.8, 1.7, 3.3])
@pytest.mark.parametrize("strength", [0.03, 0.1, 0.2])
def test_stripes_of_mains_light_are_no_item_and_items_are_seen(strength: float, num_periods: float) -> None:
    change = striped(strength, num_periods)
    watcher = Watcher(PresenceDetector())
    watcher.see(ground(), 5.0, change)
    assert watcher.detector.has_background
    watcher.phases.clear()
    watcher.see(ground(), 4.0, change)
    assert set(watcher.phases) == {Phase.EMPTY}
    presence = watcher.see(with_item(ground()), 1.0, change)
    assert presence.phase is Phase.SETTLED
    assert presence.box is not None
    assert overlap(presence.box, CAN) > 0.7
    assert watcher.see(ground(), 1.0, change).phase is Phase.EMPTY


def test_stripes_that_end_leave_no_item_behind(watcher: Watcher) -> None:
    watcher.see(ground(), 5.0, striped(0.15, 1.7))
    watcher.see(ground(), 5.0)
    assert Phase.SETTLED not in watcher.phases
    assert watcher.see(with_item(ground()), 1.0).phase is Phase.SETTLED


@pytest.mark.parametrize("rate_hz", [5, 12, 15, 24, 25, 30])
@pytest.mark.parametrize("flicker_hz", [100, 120])
def test_stripes_of_mains_light_are_known_at_any_frame_rate(rate_hz: int, flicker_hz: int) -> None:
    stripes, rng = Stripes(90), np.random.default_rng(1)
    rows = np.arange(90) / 90 * 2 * np.pi * 2.3
    for index in range(40):
        # A camera's clock is never quite that of the mains.
        gains = 0.1 * np.sin(rows + 2 * np.pi * 1.0007 * flicker_hz * index / rate_hz)
        change = (rng.normal(0, 0.02, (90, 160, 3)) + gains[:, None, None]).astype(np.float32)
        found = stripes.of(change, np.zeros_like(change), np.zeros((90, 160), np.uint8))
    # What stands still from frame to frame is learned with the scene.
    stands_still = flicker_hz % rate_hz == 0
    assert found is not None or stands_still
    if found is not None:
        np.testing.assert_allclose(found[:, 0, 0], gains, atol=0.03)


def test_stripes_that_grow_faint_are_taken_away_until_hardly_any_are_left() -> None:
    stripes, rng = Stripes(90), np.random.default_rng(1)
    rows = np.arange(90) / 90 * 2 * np.pi * 2.3

    def are_found(strength: float, num_frames: int) -> bool:
        for index in range(num_frames):
            gains = strength * np.sin(rows + 2 * np.pi * 1.0007 * 100 * index / RATE_HZ)
            change = (rng.normal(0, 0.005, (90, 160, 3)) + gains[:, None, None]).astype(np.float32)
            found = stripes.of(change, np.zeros_like(change), np.zeros((90, 160), np.uint8))
        return found is not None

    assert not are_found(0.007, 60), "too faint to begin with"
    assert are_found(0.1, 40)
    assert are_found(0.007, 60)
    assert not are_found(0.003, 60)


@pytest.mark.parametrize("rate_hz", [5, 12, 30])
def test_steady_light_has_no_stripes_however_large_what_moves(rate_hz: int) -> None:
    stripes, rng = Stripes(90), np.random.default_rng(1)
    nothing = np.zeros((90, 160), np.uint8)
    for index in range(10 * rate_hz):
        change = rng.normal(0, 0.02, (90, 160, 3)).astype(np.float32)
        top = int(30 + 25 * np.sin(2 * np.pi * 0.9 * index / rate_hz))
        change[top : top + 45, 12:] += np.float32(0.4)
        assert stripes.of(change, np.zeros_like(change), nothing) is None


def test_an_item_after_a_large_arm_is_seen_for_as_long_as_it_lies(watcher: Watcher) -> None:
    for index in range(36):
        arm = Box(0, 0, 280, 60 + int(40 * np.sin(index)))
        watcher.see(with_item(ground(), arm, (60, 45, 40)), 1 / RATE_HZ)
    watcher.see(ground(), 1.0)
    watcher.phases.clear()
    watcher.see(with_item(ground(), Box(40, 60, 240, 80)), 3.0)
    assert set(watcher.phases[6:]) == {Phase.SETTLED}


def test_lights_out_and_on_again_is_no_item(watcher: Watcher) -> None:
    watcher.see(ground() * np.float32(0.02), 2.0)
    watcher.see(ground(), 2.0)
    assert Phase.SETTLED not in watcher.phases


@pytest.mark.parametrize(("x_px", "y_px"), [(3, 0), (0, -3), (2, 2)])
def test_a_camera_that_shifts_by_some_pixels_is_no_item(watcher: Watcher, x_px: float, y_px: float) -> None:
    watcher.see(ground(), 3.0, moved_by(x_px, y_px))
    assert set(watcher.phases) == {Phase.EMPTY}


def test_a_pushed_camera_is_followed() -> None:
    tiles = np.kron(np.indices((9, 16)).sum(axis=0) % 2, np.ones((20, 20)))[..., None]
    scene = (90 + 80 * tiles * np.ones(3)).astype(np.float32)
    watcher = Watcher(PresenceDetector())
    watcher.see(scene, 2.0)
    pushed = moved_by(8, 4)(scene, 0)
    assert watcher.see(pushed, 2.0).phase is Phase.EMPTY
    assert Phase.SETTLED not in watcher.phases
    assert watcher.see(with_item(pushed), 1.0).phase is Phase.SETTLED


def test_a_soft_shadow_is_no_item(watcher: Watcher) -> None:
    shadow = np.ones((HEIGHT, WIDTH), np.float32)
    cv2.circle(shadow, (100, 90), 40, (0.65,), cv2.FILLED)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 10)
    watcher.see(ground() * shadow[..., None], 2.0)
    assert Phase.SETTLED not in watcher.phases


def test_a_dark_item_on_dark_ground_is_seen() -> None:
    dark = ground() * np.float32(0.15)
    watcher = Watcher(PresenceDetector(), noise=1.0)
    watcher.see(dark, 2.0)
    item = dark.copy()
    item[CAN.y : CAN.y + CAN.height, CAN.x : CAN.x + CAN.width] *= 1.6
    assert watcher.see(item, 1.0).phase is Phase.SETTLED


def test_a_pale_item_on_pale_ground_is_seen() -> None:
    pale = ground() * np.float32(0.3) + 190
    watcher = Watcher(PresenceDetector(), noise=1.0)
    watcher.see(pale, 2.0)
    sheet = pale.copy()
    sheet[CAN.y : CAN.y + CAN.height, CAN.x : CAN.x + CAN.width] += 12
    assert watcher.see(sheet, 1.0).phase is Phase.SETTLED


@pytest.mark.parametrize(("seed", "color"), [(1, (128, 112, 90)), (0, (124, 104, 76))])
def test_crumpled_paper_on_grained_wood_is_seen(seed: int, color: tuple[int, int, int]) -> None:
    """Each edge of the grain may have moved: no pixel of the paper is sure, but there are many."""
    rng = np.random.default_rng(seed)
    wood = render_ground("wood", rng, 320, 240).astype(np.float32)
    creases = cv2.GaussianBlur(rng.normal(0, 1, (60, 60, 1)).astype(np.float32), (0, 0), 2)
    scene = wood.copy()
    scene[90:150, 130:190] = np.array(color) + 35 * creases[..., np.newaxis] / np.abs(creases).max()
    watcher = Watcher(PresenceDetector())
    watcher.see(wood, 1.2)
    found = watcher.see(scene, 1.3)
    assert found.phase is Phase.SETTLED
    assert found.box is not None
    assert overlap(found.box, Box(130, 90, 60, 60)) > 0.8
    assert watcher.see(wood, 0.5).phase is Phase.EMPTY


def test_every_part_of_a_frame_has_a_score() -> None:
    """What rounding leaves below nothing has no root: such a hole hid that two items lie apart."""
    scene = cv2.resize(ground(), (160, 90), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(1).standard_normal((20, *scene.shape)) * 0.3
    background = Background(to_log(scene.astype(np.uint8)), np.zeros((90, 160), np.float32), 5.0)
    for one in noise:
        shown = with_item(scene + one, Box(5, 5, 10, 10), (255, 255, 255)).clip(0, 255).astype(np.uint8)
        difference = background.compare(to_log(shown), np.zeros((90, 160), np.uint8))
        assert np.isfinite(difference.score).all()


def test_an_arm_that_rests_for_a_second_is_no_item(watcher: Watcher) -> None:
    arm = with_item(ground(), Box(140, 0, 36, 110), (200, 150, 120))
    watcher.see(arm, 1.0)
    assert set(watcher.phases) == {Phase.MOVING}


def test_a_bottle_whose_neck_lies_at_the_rim_is_no_arm(watcher: Watcher) -> None:
    green = (60, 120, 70)
    neck = with_item(ground(), Box(152, 0, 16, 50), green)
    watcher.see(with_item(neck, Box(110, 46, 100, 80), green), 0.5)
    assert watcher.phases[-1] is Phase.SETTLED, "a rest of a quarter of a second is enough"


def test_an_arm_that_rests_on_an_item_is_said_to_be_there(watcher: Watcher) -> None:
    assert not watcher.see(with_item(ground()), 1.0).has_arm
    held = watcher.see(with_item(with_item(ground()), Box(140, 0, 36, 80), (200, 150, 120)), 1.0)
    assert held.has_arm
    assert held.still_s > 0
    assert not watcher.see(with_item(ground()), 1.0).has_arm


def test_an_arm_may_be_one_for_four_times_as_long_as_it_is_waited_for(watcher: Watcher) -> None:
    arm = with_item(ground(), Box(140, 0, 36, 110), (200, 150, 120))
    assert watcher.see(arm, 4.5).has_arm
    assert not watcher.see(arm, 1.0).has_arm, "by now it is taken for an item"


@pytest.mark.parametrize("name", GROUNDS)
def test_an_arm_over_any_ground_is_no_item(name: str) -> None:
    scene = render_ground(name, np.random.default_rng(1), WIDTH, HEIGHT).astype(np.float32)
    watcher = Watcher(PresenceDetector(background=scene.astype(np.uint8)))
    watcher.see(with_item(scene, Box(140, 0, 36, 110), (200, 150, 120)), 1.0)
    assert Phase.SETTLED not in watcher.phases


def test_an_arm_that_leans_over_a_corner_for_a_moment_is_an_arm_still(watcher: Watcher) -> None:
    """It comes over one rim, brushes another on its way, and holds still away from that."""
    arm, skin = Box(0, 120, 150, 36), (200, 150, 120)
    watcher.see(with_item(ground(), arm, skin), 1 / RATE_HZ)
    watcher.see(with_item(ground(), Box(0, 150, 150, 30), skin), 2 / RATE_HZ)
    watcher.see(with_item(ground(), arm, skin), 1.0)
    assert set(watcher.phases) == {Phase.MOVING}


def test_an_item_larger_than_the_view_is_no_arm(watcher: Watcher) -> None:
    board = Box(0, 50, WIDTH, 70)
    for left in (200, 120, 60):
        watcher.see(with_item(ground(), Box(left, 50, WIDTH - left, 70)), 1 / RATE_HZ)
    watcher.see(with_item(ground(), board), 0.5)
    assert watcher.phases[-1] is Phase.SETTLED, "a rest of a quarter of a second is enough"


def test_an_item_that_comes_over_one_rim_and_lies_across_another_is_no_arm(watcher: Watcher) -> None:
    for x in (0, 50, 100):
        watcher.see(with_item(ground(), Box(x, 0, 36, 110), (200, 150, 120)), 1 / RATE_HZ)
    watcher.see(with_item(ground(), Box(140, 0, 36, 110), (200, 150, 120)), 1.0)
    assert Phase.SETTLED not in watcher.phases[:3]
    assert watcher.phases.index(Phase.SETTLED) / RATE_HZ <= 3 / RATE_HZ + 1 / 3


def test_a_ghost_of_what_was_learned_is_absorbed() -> None:
    watcher = Watcher(PresenceDetector())
    watcher.see(with_item(ground()), 2.0)
    watcher.phases.clear()
    assert watcher.see(ground(), 1.0).phase is Phase.EMPTY
    assert Phase.SETTLED not in watcher.phases
    assert watcher.see(with_item(ground()), 1.0).phase is Phase.SETTLED


def drifting(cast: tuple[float, float, float], over_s: float) -> Callable[[Scene, float], Scene]:
    """Light whose color goes away by so many levels at mid grey, and stays there."""
    gain = np.array(cast, np.float32) / np.float32(128)
    return lambda scene, at_s: (scene * (1 + gain * min(1.0, at_s / over_s))).astype(np.float32)


def strip_ground() -> Scene:
    """A pale wall over a black strip: an edge stronger than any of an item's."""
    scene = ground() * np.float32(0.2) + 200
    scene[100:150] = (40, 42, 48)
    return scene


def with_pale_bottle(scene: Scene, box: Box) -> Scene:
    """Greenish glass, nowhere far from the wall's brightness."""
    return with_item(scene, box, (160, 170, 165))


@pytest.mark.parametrize(
    ("name", "brighter"), [("cardboard", 25), ("steel", 25), ("tiles", 60), ("wood", 25), ("speckled", 25)]
)
def test_a_soft_item_that_hides_a_few_edges_of_the_ground_is_no_ghost(name: str, brighter: int) -> None:
    """A tissue, or a thing out of focus, has hardly an edge of its own."""
    scene = render_ground(name, np.random.default_rng(1), WIDTH, HEIGHT).astype(np.float32)
    lies = np.zeros((HEIGHT, WIDTH, 1), np.float32)
    cv2.ellipse(lies, (150, 80), (30, 20), 0, 0, 360, (1.0,), cv2.FILLED)
    lies[..., 0] = cv2.GaussianBlur(lies, (0, 0), 6)
    color = scene[60:100, 120:180].mean(axis=(0, 1)) + brighter
    watcher = Watcher(PresenceDetector(background=scene.clip(0, 255).astype(np.uint8)))
    watcher.see(scene, 0.5)
    assert watcher.see(scene * (1 - lies) + color * lies, 1.5).phase is Phase.SETTLED


@pytest.mark.parametrize(
    "box",
    [Box(100, 60, 90, 75), Box(100, 96, 90, 40), Box(100, 98, 90, 54), Box(90, 20, 150, 84), Box(60, 60, 90, 41)],
    ids=["across", "along-the-top", "all-over-it", "beside", "into-it"],
)
def test_an_item_that_hides_the_strongest_edge_of_the_scene_is_no_ghost(box: Box) -> None:
    """It was taken for one and learned as the scene, and what it left behind was an item for good."""
    empty = strip_ground()
    watcher = Watcher(PresenceDetector(background=empty.clip(0, 255).astype(np.uint8)))
    watcher.see(empty, 0.5)
    assert watcher.see(with_pale_bottle(empty, box), 5.0).phase is Phase.SETTLED
    assert watcher.see(empty, 0.5).phase is Phase.EMPTY


@settings(max_examples=6, deadline=None)
@given(
    cast=st.tuples(*[st.floats(-15, 15)] * 3),
    rest_s=st.sampled_from([10.0, 20.0]),
    over_strip=st.booleans(),
    is_pale=st.booleans(),
)
def test_light_that_drifts_while_an_item_lies_makes_no_ghost_of_it(
    cast: tuple[float, float, float], rest_s: float, *, over_strip: bool, is_pale: bool
) -> None:
    empty = strip_ground() if over_strip else ground()
    lit = np.array(cast, np.float32) / np.float32(128) + 1
    full = with_pale_bottle(empty, Box(100, 60, 90, 75)) if is_pale else with_item(empty)
    watcher = Watcher(PresenceDetector(background=empty.clip(0, 255).astype(np.uint8)))
    watcher.see(empty, 0.5)
    watcher.phases.clear()
    watcher.see(full, rest_s, drifting(cast, rest_s))
    assert Phase.EMPTY not in watcher.phases, "an item that lies there must not be forgotten: it would be decided twice"
    watcher.phases.clear()
    watcher.see((empty * lit).astype(np.float32), 1.0)
    assert Phase.SETTLED not in watcher.phases
    assert watcher.phases[-1] is Phase.EMPTY
    assert watcher.see((with_item(empty, Box(40, 20, 50, 60)) * lit).astype(np.float32), 0.5).phase is Phase.SETTLED


def test_what_lies_still_for_long_becomes_part_of_the_empty_scene() -> None:
    watcher = Watcher(PresenceDetector(PresenceSettings(absorb_s=20.0), ground().astype(np.uint8)))
    left_behind = with_item(ground())
    assert watcher.see(left_behind, 19.0).phase is Phase.SETTLED
    assert watcher.see(left_behind, 3.0).phase is Phase.EMPTY
    other = Box(220, 90, 50, 40)
    beside = watcher.see(with_item(left_behind, other, (40, 90, 170)), 1.0)
    assert beside.phase is Phase.SETTLED
    assert beside.box is not None
    assert overlap(beside.box, other) > 0.7
    watcher.phases.clear()
    assert watcher.see(ground(), 2.0).phase is Phase.EMPTY  # both are taken away
    assert Phase.SETTLED not in watcher.phases


def test_an_item_is_no_part_of_the_scene_because_the_camera_was_away(watcher: Watcher) -> None:
    watcher.see(with_item(ground()), 0.5)
    watcher.look_away(3600.0)
    assert watcher.see(with_item(ground()), 2.0).phase is Phase.SETTLED
    assert watcher.see(ground(), 1.0).phase is Phase.EMPTY


def test_what_lies_there_when_the_camera_comes_back_must_rest_before_its_eyes(watcher: Watcher) -> None:
    watcher.see(with_item(ground()), 0.5)
    watcher.look_away(3600.0)
    watcher.phases.clear()
    watcher.see(with_item(ground(), Box(60, 80, 60, 40)), 1.0)
    assert watcher.phases.index(Phase.SETTLED) >= 0.25 * RATE_HZ


@pytest.mark.parametrize("light", [0.0, 0.05, 0.2])
def test_an_item_lies_there_still_when_the_light_was_gone_for_a_moment(watcher: Watcher, light: float) -> None:
    watcher.see(with_item(ground()), 1.0)
    watcher.phases.clear()
    watcher.see(with_item(ground()) * np.float32(light), 0.5)
    assert watcher.see(with_item(ground()), 1.0).phase is Phase.SETTLED
    assert Phase.EMPTY not in watcher.phases


def test_what_was_taken_in_the_dark_is_gone(watcher: Watcher) -> None:
    watcher.see(with_item(ground()), 1.0)
    assert watcher.see(ground() * np.float32(0.05), 5.0).phase is Phase.EMPTY
    watcher.see(with_item(ground()), 1.0)
    watcher.see(ground() * np.float32(0.05), 0.5)
    assert watcher.see(ground(), 1.0).phase is Phase.EMPTY


def test_an_item_lies_there_still_when_the_camera_was_pushed() -> None:
    scene = render_ground("tiles", np.random.default_rng(0), WIDTH, HEIGHT).astype(np.float32)
    watcher = Watcher(PresenceDetector(background=scene.astype(np.uint8)))
    watcher.see(with_item(scene), 1.0)
    watcher.phases.clear()
    assert watcher.see(with_item(scene), 3.0, moved_by(8, 5)).phase is Phase.SETTLED
    assert Phase.EMPTY not in watcher.phases
    assert watcher.see(scene, 1.0, moved_by(8, 5)).phase is Phase.EMPTY


def test_nothing_outside_of_the_region_counts() -> None:
    watcher = Watcher(PresenceDetector(PresenceSettings(region=Region(0.5, 0.0, 1.0, 1.0))))
    watcher.see(ground(), 2.0)
    assert watcher.see(with_item(ground(), Box(20, 60, 60, 40)), 1.0).phase is Phase.EMPTY
    inside = Box(220, 60, 60, 40)
    settled = watcher.see(with_item(ground(), inside), 1.0)
    assert settled.phase is Phase.SETTLED
    assert settled.box is not None
    assert overlap(settled.box, inside) > 0.8


@pytest.mark.parametrize("corners", [(0.5, 0, 0.5, 1), (0, 0.2, 1, 0.1), (-0.1, 0, 1, 1), (0, 0, 1.2, 1)])
def test_a_region_without_area_is_refused(corners: tuple[float, float, float, float]) -> None:
    with pytest.raises(ConfigError, match="left < right"):
        Region(*corners)


@pytest.mark.parametrize(("width_px", "height_px"), [(1, 1), (300, 2), (7, 48)])
def test_a_picture_in_which_nothing_can_be_seen_is_refused(width_px: int, height_px: int) -> None:
    frame = Frame(0, 0.0, np.full((height_px, width_px, 3), 120, np.uint8))
    with pytest.raises(PictureError, match=f"{width_px}x{height_px} pixels in the region of interest"):
        PresenceDetector().update(frame)


def test_frames_of_a_new_size_begin_anew(watcher: Watcher) -> None:
    larger = cv2.resize(ground(), (400, 300))
    watcher.see(larger, 1 / RATE_HZ)
    assert not watcher.detector.has_background
    assert watcher.see(larger, 2.0).phase is Phase.EMPTY
    assert watcher.detector.has_background


@settings(max_examples=25, deadline=None)
@given(
    x=st.integers(10, 230),
    y=st.integers(10, 110),
    width=st.integers(24, 70),
    height=st.integers(24, 50),
    hue=st.integers(0, 179),
    gain=st.floats(0.7, 1.3),
)
def test_any_colored_item_is_found_where_it_lies(
    x: int, y: int, width: int, height: int, hue: int, gain: float
) -> None:
    color = cv2.cvtColor(np.array([[[hue, 200, 200]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
    watcher = Watcher(PresenceDetector(background=ground().astype(np.uint8)))
    watcher.see(ground() * np.float32(gain), 0.5)
    box = Box(x, y, width, height)
    settled = watcher.see(with_item(ground(), box, tuple(color)) * np.float32(gain), 0.5)
    assert settled.phase is Phase.SETTLED
    assert settled.box is not None
    assert overlap(settled.box, box) > 0.6
