from __future__ import annotations

import numpy as np
import pytest

from tests.train.shapes import draw_item
from train.foreground import cut_out


def test_an_item_on_a_plain_ground_is_cut_out() -> None:
    cutout = cut_out(draw_item(120, 160))
    assert cutout is not None
    # The box is 60x40 of 160x120, found on a picture of 128 px: two pixels there are 2.5 here, 1.6 %.
    found = (cutout.x, cutout.y, cutout.width, cutout.height)
    assert found == pytest.approx((50 / 160, 40 / 120, 60 / 160, 40 / 120), abs=0.03)
    assert cutout.ground == pytest.approx([200, 200, 200], abs=3)


def test_a_vignette_is_ground_not_item() -> None:
    image = draw_item(120, 160).astype(np.float32)
    y, x = np.mgrid[-1:1:120j, -1:1:160j]
    shaded = (image * (1 - 0.35 * (x * x + y * y) / 2)[..., None]).astype(np.uint8)
    cutout = cut_out(shaded)
    assert cutout is not None
    assert cutout.width * cutout.height == pytest.approx(60 * 40 / (160 * 120), rel=0.15)


def test_an_empty_ground_gives_nothing() -> None:
    assert cut_out(np.full((120, 160, 3), 200, np.uint8)) is None


def test_a_busy_picture_gives_nothing() -> None:
    assert cut_out(np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)) is None


def test_a_speck_is_not_taken_for_the_item() -> None:
    image = draw_item(120, 160)
    image[40:80, 50:110] = 200
    image[58:62, 78:82] = (190, 30, 40)
    assert cut_out(image) is None


def test_the_cut_is_the_same_every_time() -> None:
    first, again = cut_out(draw_item()), cut_out(draw_item())
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(first.mask, again.mask)
