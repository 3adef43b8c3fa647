"""Undoing a place's light: white becomes white there, and pictures of other places are told."""

from __future__ import annotations

import numpy as np
import pytest

from edge.classifiers.light import PLAIN_LIGHT, ground_of, light_of
from edge.messages import Image

WARM = np.array([1.0, 0.6, 0.3])


def a_crop(seed: int, lamp: np.ndarray, ground: int = 120) -> Image:
    """An item of some color with a white label, on a grey ground, under a lamp."""
    rng = np.random.default_rng(seed)
    crop = np.full((96, 96, 3), ground, np.float32)
    crop[20:76, 20:76] = rng.uniform(30, 200, 3)
    crop[40:60, 40:60] = 235
    return np.clip(crop * lamp + rng.normal(0, 2, crop.shape), 0, 255).astype(np.uint8)


def test_white_under_a_warm_dim_lamp_becomes_white() -> None:
    light = light_of([a_crop(seed, WARM * 0.6) for seed in range(12)])
    seen = light.undo(a_crop(99, WARM * 0.6))
    assert seen is not None
    label = seen[45:55, 45:55].reshape(-1, 3).mean(axis=0)
    # The noise of a lamp that takes red to 0.6 and blue to 0.18 is raised with it.
    assert label == pytest.approx([240, 240, 240], abs=12)


def test_a_lamp_that_drifts_is_still_the_same_place() -> None:
    light = light_of([a_crop(seed, WARM) for seed in range(12)])
    for drifted in (a_crop(99, WARM * 1.2), a_crop(99, WARM * 0.85)):
        assert light.undo(drifted) is not None


@pytest.mark.parametrize("elsewhere", [a_crop(1, np.ones(3)), a_crop(1, WARM, ground=30)])
def test_a_picture_of_another_place_is_told_by_its_ground(elsewhere: Image) -> None:
    light = light_of([a_crop(seed, WARM) for seed in range(12)])
    assert light.undo(elsewhere) is None


def test_of_an_item_that_nearly_fills_its_crop_the_rim_shows_the_ground() -> None:
    crop = np.full((96, 96, 3), 120, np.uint8)
    crop[8:88, 8:88] = 230
    np.testing.assert_allclose(ground_of(crop), np.log(124.0), rtol=1e-6)


def test_grounds_of_one_place_are_told_from_each_other_and_odd_ones_are_not() -> None:
    one_place = [a_crop(seed, WARM) for seed in range(8)]
    assert light_of(one_place).share_told() == 1
    odd = [a_crop(9, WARM, ground=20), a_crop(9, np.ones(3), ground=220)]
    assert light_of([*one_place, *odd]).share_told() == pytest.approx(0.8)


def test_in_the_dark_noise_is_not_raised_without_end() -> None:
    light = light_of([np.zeros((32, 32, 3), np.uint8)])
    assert light.gains.max() <= 6
    assert np.isfinite(light.grounds).all()


def test_plain_light_touches_nothing() -> None:
    crop = a_crop(1, WARM)
    assert PLAIN_LIGHT.undo(crop) is crop
