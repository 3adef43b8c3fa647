from __future__ import annotations

import numpy as np
import pytest

from tests.train.shapes import draw_item
from train.pictures.foreground import cut_out


def test_an_item_on_a_plain_ground_is_cut_out() -> None:
    cutout = cut_out(draw_item(120, 160))
    # The box is 60x40 of 160x120, found on a picture of 128 px: two pixels there are 2.5 here, 1.6 %.
    found = (cutout.x, cutout.y, cutout.width, cutout.height)
    assert found == pytest.approx((50 / 160, 40 / 120, 60 / 160, 40 / 120), abs=0.03)
    assert cutout.ground == pytest.approx([200, 200, 200], abs=3)


def test_a_vignette_is_ground_not_item() -> None:
    image = draw_item(120, 160).astype(np.float32)
    y, x = np.mgrid[-1:1:120j, -1:1:160j]
    shaded = (image * (1 - 0.35 * (x * x + y * y) / 2)[..., None]).astype(np.uint8)
    cutout = cut_out(shaded)
    assert cutout.width * cutout.height == pytest.approx(60 * 40 / (160 * 120), rel=0.15)


@pytest.mark.parametrize("seed", range(3))
def test_a_picture_without_an_outline_is_a_sheet_of_itself(seed: int) -> None:
    shade = np.linspace(150, 150 + 10 * seed, 160)[np.newaxis, :, np.newaxis]
    cutout = cut_out(np.broadcast_to(shade, (120, 160, 3)).astype(np.uint8))
    assert cutout.width * cutout.height == pytest.approx(0.92**2, abs=0.02)


def test_the_cut_is_the_same_every_time() -> None:
    first, again = cut_out(draw_item()), cut_out(draw_item())
    np.testing.assert_array_equal(first.mask, again.mask)
