"""A cutout lies where its pose says, and its shadow beside it."""

from __future__ import annotations

import numpy as np
import pytest

from edge.messages import Box
from edge.simulation.cutout import Cutout
from edge.simulation.hand import draw_arm
from edge.simulation.paste import Pose, covered_box, paste

BLOCK = Cutout(np.full((20, 40, 3), 250, np.uint8), np.ones((20, 40), np.float32), "block", "drawn")
LAMP = np.array([1.0, 0.0])


def pasted(pose: Pose, shadow: float = 0.0) -> np.ndarray:
    canvas = np.full((100, 120, 3), 100, np.float32)
    paste(canvas, BLOCK, pose, shadow, LAMP)
    return canvas


@pytest.mark.parametrize(
    ("pose", "box"),
    [
        (Pose(60, 50, 1.0, 0), Box(40, 40, 40, 20)),
        (Pose(60, 50, 1.0, 90), Box(50, 30, 20, 40)),
        (Pose(60, 50, 2.0, 0), Box(20, 30, 80, 40)),
        (Pose(0, 50, 1.0, 0), Box(0, 40, 20, 20)),
    ],
)
def test_it_covers_the_box_of_its_pose(pose: Pose, box: Box) -> None:
    rows, columns = np.nonzero(pasted(pose)[..., 0] > 175)
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    # Half a pixel is lost at each side where the rim is blended.
    assert found == pytest.approx((box.x, box.y, box.x + box.width, box.y + box.height), abs=1)
    told = covered_box([BLOCK], [pose], 120, 100)
    assert (told.x, told.y, told.width, told.height) == pytest.approx((box.x, box.y, box.width, box.height), abs=1)


def test_its_shadow_darkens_the_ground_on_the_side_away_from_the_lamp() -> None:
    canvas = pasted(Pose(60, 50, 1.0, 0), shadow=0.5)[..., 0]
    left, right = canvas[50, 30:39].min(), canvas[50, 82:91].min()
    assert right < left <= 100
    assert right > 100 * (1 - 0.5)


def test_what_lies_outside_changes_nothing_and_covers_nothing() -> None:
    away = Pose(500, 500, 1.0, 30)
    assert np.array_equal(pasted(away, shadow=0.5), np.full((100, 120, 3), 100, np.float32))
    assert covered_box([BLOCK], [away], 120, 100) == Box(0, 0, 0, 0)


def test_an_arm_reaches_from_the_top_to_its_finger_tips_and_looks_different_each_time() -> None:
    first, second = (draw_arm(np.random.default_rng(seed)) for seed in (1, 2))
    assert first.alpha[0].max() == pytest.approx(1, abs=0.01)
    assert first.alpha[-200:].max() == pytest.approx(1, abs=0.01)
    assert not np.array_equal(first.image, second.image)
