from __future__ import annotations

import numpy as np
import pytest

from train.measuring.background import corner_colors, measure_background

RNG = np.random.default_rng(0)


def picture(ground: int, item: int) -> np.ndarray:
    image = np.full((60, 80, 3), ground, np.uint8)
    image[20:40, 30:50] = item
    return image


def test_only_the_corners_count() -> None:
    np.testing.assert_array_equal(corner_colors(picture(120, 0)), corner_colors(picture(120, 255)))
    assert (corner_colors(picture(120, 0)) != corner_colors(picture(130, 0))).any()


def test_a_ground_of_its_own_gives_a_class_away() -> None:
    colors = np.stack([corner_colors(picture(value + int(RNG.integers(8)), 0)) for value in [60] * 20 + [180] * 20])
    test = measure_background(colors, ["can"] * 20 + ["jar"] * 20, [""] * 40)
    assert (test.accuracy, test.largest_class) == (1.0, 0.5)
    assert "gives the class away" in test.verdict


def test_a_common_ground_tells_nothing() -> None:
    colors = np.stack([corner_colors(picture(int(RNG.integers(80, 160)), 0)) for _ in range(200)])
    test = measure_background(colors, ["can", "jar"] * 100, [""] * 200)
    assert test.accuracy == pytest.approx(0.5, abs=0.12)  # 200 coin flips, three deviations
    assert "little" in test.verdict


def test_pictures_of_the_same_object_do_not_help_each_other() -> None:
    colors = np.stack([corner_colors(picture(value, 0)) for value in (60, 60, 180, 180, 60, 180)])
    labels = ["can", "can", "jar", "jar", "jar", "can"]
    test = measure_background(colors, labels, ["a", "a", "b", "b", "c", "d"])
    assert test.accuracy < 0.5
