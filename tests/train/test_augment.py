from __future__ import annotations

import numpy as np
import pytest

from tests.train.shapes import draw_item
from train.augment import Source, augment, degrade, lay_on, random_ground, relight, warp
from train.foreground import cut_out
from train.recipes import Augment, load_recipe

RANGES = load_recipe("efficientnet-lite0").augment
STILL = Augment(
    **{name: 1.0 if name.startswith("zoom") else 0 for name in Augment.model_fields if "quality" not in name},
    jpeg_quality_min=50,
)


@pytest.fixture
def source() -> Source:
    image = draw_item()
    return Source(image, cut_out(image))


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def red_box(image: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is more red than green."""
    rows, columns = np.nonzero(image[..., 0].astype(int) - image[..., 1] > 80)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_a_picture_is_the_same_for_the_same_seed_and_another_for_another(source: Source) -> None:
    first, again, other = (augment(source, [source], 96, RANGES, chance(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("seed", range(24))
def test_any_draw_is_a_picture_of_the_networks_size(source: Source, seed: int) -> None:
    image = augment(source, [source], 96, RANGES, chance(seed))
    assert (image.shape, image.dtype) == ((96, 96, 3), np.uint8)


def test_ranges_of_zero_squash_the_picture_and_leave_its_colors(source: Source) -> None:
    image = augment(source, [source], 120, STILL, chance(3))
    # Flips apart, the 60x40 box in the middle of 160x120 becomes 45x40 in the middle of 120x120; a pixel for the edge.
    assert red_box(image) == pytest.approx((37.5, 40, 82.5, 80), abs=1.01)
    assert image[60, 60].tolist() == [190, 30, 40]


def test_the_square_framing_is_the_devices_crop(source: Source) -> None:
    ranges = STILL.model_copy(update={"square_share": 1.0, "square_margin_min": 0.15, "square_margin_max": 0.15})
    left, top, right, bottom = red_box(warp(source.image, source.cutout, 130, ranges, chance()))
    # Longer side 60 with 15 % on both sides fills 130 px: the item is 100 wide and 66.7 high, in the middle.
    # The cutout's box may be off by 3 px of 160, seen 1.7 times larger.
    assert (right - left, bottom - top) == pytest.approx((100, 66.7), abs=6)
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((65, 65), abs=4)


def test_another_ground_keeps_the_item(source: Source) -> None:
    ground = np.zeros_like(source.image)
    image = lay_on(source, ground, STILL, chance())
    assert image[60, 80].tolist() == [190, 30, 40]
    assert image[:20].max() == 0


def test_a_ground_shines_through_a_translucent_item(source: Source) -> None:
    ranges = STILL.model_copy(update={"translucent_share": 1.0})
    image = lay_on(source, np.zeros_like(source.image), ranges, chance())
    assert image[60, 80, 0] < 190


def test_grounds_differ_and_fill_the_picture(source: Source) -> None:
    grounds = [random_ground(60, 80, [source], chance(seed)) for seed in range(30)]
    assert {ground.shape for ground in grounds} == {(60, 80, 3)}
    assert np.std([ground.mean() for ground in grounds]) > 30


def test_a_plain_picture_keeps_its_ground_and_nearly_its_light(source: Source) -> None:
    ranges = RANGES.model_copy(update={"plain_share": 1.0, "rotation_deg": 0, "shift": 0})
    for seed in range(20):
        corner = augment(source, [source], 96, ranges, chance(seed))[0, 0].astype(float)
        # 0.6 stops of exposure at two fifths are 0.24 stops, 18 %; gains, contrast and gamma add up to another 25 %.
        assert corner == pytest.approx([200, 200, 200], abs=200 * 0.45)


def test_light_changes_stay_within_their_ranges() -> None:
    gray = np.full((8, 8, 3), 100, np.uint8)
    ranges = STILL.model_copy(update={"white_balance": 0.14})
    tints = np.array([relight(gray, ranges, chance(seed))[0, 0] for seed in range(50)], float)
    # Gains of exp(-0.14..0.14) over a mean of exp(-0.14..0.14), and one level for rounding.
    assert np.abs(np.log(tints / 100)).max() <= 0.28 + 0.01
    assert tints.std() > 3


def test_without_shares_the_camera_is_perfect(source: Source) -> None:
    np.testing.assert_array_equal(degrade(source.image, STILL, chance()), source.image)
