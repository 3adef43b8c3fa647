from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.train.shapes import draw_item
from train.pictures.augment import Source, augment, degrade, frame, lay_on, random_ground, relight, warp, warp_mask
from train.pictures.foreground import cut_out
from train.recipes import Augment, load_recipe

RANGES = load_recipe("efficientnet-lite0").augment
STILL = Augment()


@pytest.fixture
def source() -> Source:
    image = draw_item()
    return Source(image, cut_out(image))


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(source: Source, size_px: int, ranges: Augment, seed: int = 0) -> np.ndarray:
    return warp(source.image, frame(source, size_px, ranges, chance(seed)), size_px, ranges, chance(seed))


def laid_on_black(source: Source, ranges: Augment) -> np.ndarray:
    matrix = frame(source, 120, STILL, chance())
    item, mask = warp(source.image, matrix, 120, STILL, chance()), warp_mask(source, matrix, 120)
    return lay_on(item, mask, np.zeros_like(item), source, ranges, chance())


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


@pytest.mark.parametrize("most", ["minimum", "maximum"])
def test_every_range_at_its_utmost_at_once_still_draws_pictures(source: Source, most: str) -> None:
    bounds = Augment.model_json_schema()["properties"]
    utmost = {name: field[most] for name, field in bounds.items() if most in field}
    shares = {name: 1 for name in utmost if name.endswith("_share")} | {"plain_share": 0}
    ranges = Augment.model_validate(utmost | shares)
    for seed in range(4):
        assert augment(source, [source], 64, ranges, chance(seed)).shape == (64, 64, 3)


def test_ranges_of_zero_squash_the_picture_and_leave_its_colors(source: Source) -> None:
    image = augment(source, [source], 120, STILL, chance(3))
    # Flips apart, the 60x40 box in the middle of 160x120 becomes 45x40 in the middle of 120x120; a pixel for the edge.
    assert red_box(image) == pytest.approx((37.5, 40, 82.5, 80), abs=1.01)
    assert image[60, 60].tolist() == [190, 30, 40]


def test_the_square_framing_is_the_devices_crop(source: Source) -> None:
    ranges = STILL.model_copy(update={"square_share": 1.0, "square_margin_min": 0.15, "square_margin_max": 0.15})
    left, top, right, bottom = red_box(drawn(source, 130, ranges))
    # Longer side 60 with 15 % on both sides fills 130 px: the item is 100 wide and 66.7 high, in the middle.
    # The cutout's box may be off by 3 px of 160, seen 1.7 times larger.
    assert (right - left, bottom - top) == pytest.approx((100, 66.7), abs=6)
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((65, 65), abs=4)


def test_pictures_that_are_stored_too_narrow_get_their_width_back(source: Source) -> None:
    ranges = STILL.model_copy(update={"square_share": 1.0, "widen_max": 2.0})
    shapes = []
    for seed in range(40):
        left, top, right, bottom = red_box(drawn(source, 130, ranges, seed))
        shapes.append((right - left) / (bottom - top))
    # The item is 60x40; 6 % for edges of a pixel.
    assert 1.5 * 0.94 < min(shapes) < 1.8
    assert 2.6 < max(shapes) < 3.0 * 1.06


def test_the_mask_goes_where_the_item_goes(source: Source) -> None:
    for seed in range(10):
        matrix = frame(source, 130, RANGES, chance(seed))
        image = warp(source.image, matrix, 130, RANGES, chance(seed))
        is_item = (image[..., 0].astype(int) - image[..., 1]) > 80
        is_masked = warp_mask(source, matrix, 130) > 127
        # An outline is found to one of 192 pixels, which are up to 1.2 of these; the item is 60 across.
        assert (is_item & is_masked).sum() > 0.85 * is_item.sum()


def test_another_ground_keeps_the_item(source: Source) -> None:
    image = laid_on_black(source, STILL)
    assert image[60, 60].tolist() == [190, 30, 40]
    assert image[:20].max() == 0


def test_what_keeps_its_ground_is_never_laid_on_another(source: Source) -> None:
    ranges = STILL.model_copy(update={"background_share": 1.0})
    black = Source(np.zeros_like(source.image), source.cutout)
    moved, kept = (
        [augment(replace(source, keeps_ground=keeps), [black], 96, ranges, chance(seed))[2, 2] for seed in range(20)]
        for keeps in (False, True)
    )
    assert np.abs(np.array(kept, float) - 200).max() < 12
    assert np.abs(np.array(moved, float) - 200).max() > 100


def test_an_item_casts_a_shadow_on_its_ground(source: Source) -> None:
    ranges = STILL.model_copy(update={"cast_shadow_share": 1.0})
    white = np.full((120, 120, 3), 255, np.uint8)
    matrix = frame(source, 120, STILL, chance())
    item, mask = warp(source.image, matrix, 120, STILL, chance()), warp_mask(source, matrix, 120)
    image = lay_on(item, mask, white, source, ranges, chance(1))
    outside = (image[..., 0] == image[..., 1]) & (image[..., 0] < 245)
    assert outside.sum() > 20
    assert image[60, 60].tolist() == [190, 30, 40]


def test_a_ground_shines_through_clear_items_only(source: Source) -> None:
    ranges = STILL.model_copy(update={"translucent_share": 1.0})
    assert laid_on_black(replace(source, is_clear=True), ranges)[60, 60, 0] < 190
    assert laid_on_black(source, ranges)[60, 60, 0] == 190


def test_grounds_differ_and_fill_the_picture(source: Source) -> None:
    grounds = [random_ground(60, 80, lambda _: source.image, chance(seed)) for seed in range(30)]
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


def test_a_far_camera_has_fewer_pixels(source: Source) -> None:
    far = STILL.model_copy(update={"coarse_share": 1.0, "coarse_min": 0.25})
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    seen = degrade(noise, far, chance(4))
    assert seen.shape == noise.shape
    assert seen.std() < 0.8 * noise.std()
