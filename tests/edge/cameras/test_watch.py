"""Faults that only the pixels show."""

from __future__ import annotations

import numpy as np
import pytest

from edge.cameras.watch import PictureWatch, WatchLimits
from edge.errors import BlackPictureError, DarkPictureError, FrozenPictureError
from edge.messages import Image

RATE_HZ = 30.0
LIMITS = WatchLimits()


def noisy(level: int, seed: int, height: int = 90, width: int = 160) -> Image:
    noise = np.random.default_rng(seed).integers(-2, 3, size=(height, width, 3))
    return np.clip(level + noise, 0, 255).astype(np.uint8)


def show(watch: PictureWatch, images: list[Image]) -> list[bool]:
    return [watch.is_usable(image, index / RATE_HZ) for index, image in enumerate(images)]


def test_a_scene_at_rest_with_sensor_noise_is_healthy_for_ever() -> None:
    fresh = show(PictureWatch(LIMITS), [noisy(120, seed) for seed in range(200)])
    assert fresh == [False] + [True] * 199


def test_one_picture_again_and_again_is_a_fault_within_two_seconds() -> None:
    watch, image = PictureWatch(LIMITS), noisy(120, 0)
    with pytest.raises(FrozenPictureError, match="repeats one picture"):
        show(watch, [image] * round(2 * RATE_HZ))


def test_a_repeat_is_never_a_new_picture() -> None:
    first, second = noisy(120, 0), noisy(120, 1)
    assert show(PictureWatch(LIMITS), [first, first, second, second, first]) == [False, False, True, False, True]


def test_a_change_between_the_sampled_pixels_still_counts() -> None:
    image = noisy(120, 0)
    changed = image.copy()
    changed[3, 5, 1] ^= 1
    assert show(PictureWatch(LIMITS), [image, changed]) == [False, True]


def test_sources_whose_healthy_pictures_repeat_hand_them_out() -> None:
    watch = PictureWatch(WatchLimits(frozen_after_s=10.0, hands_out_repeats=True))
    assert show(watch, [noisy(120, 0)] * 250) == [True] * 250


def test_two_seconds_of_black_are_a_fault_although_noise_changes() -> None:
    with pytest.raises(BlackPictureError, match="lens covered"):
        show(PictureWatch(LIMITS), [noisy(3, seed) for seed in range(round(2 * RATE_HZ))])


def test_two_seconds_too_dark_are_a_fault_of_their_own() -> None:
    with pytest.raises(DarkPictureError, match="expected above 40"):
        show(PictureWatch(LIMITS), [noisy(25, seed) for seed in range(round(2 * RATE_HZ))])


def test_a_short_shadow_over_the_lens_is_no_fault() -> None:
    covered = [noisy(3, seed) for seed in range(round(1.1 * RATE_HZ))]
    lit = [noisy(120, 1000), noisy(120, 1001)]
    usable = show(PictureWatch(LIMITS), [*covered, *lit, *covered, *lit])
    assert usable == [*[False] * len(covered), True, True] * 2


def test_a_small_bright_item_on_black_ground_lights_the_picture() -> None:
    images = [noisy(10, seed) for seed in range(100)]
    for image in images:
        image[40:56, 72:88] = 200
    assert all(show(PictureWatch(LIMITS), images)[1:])


def test_hot_pixels_do_not_light_the_picture() -> None:
    images = [noisy(5, seed, height=360, width=640) for seed in range(60)]
    for image in images:
        image[::120, ::160] = 255
    with pytest.raises(BlackPictureError):
        show(PictureWatch(LIMITS), images)
