"""Held-out photographs as a device would see what they show."""

from __future__ import annotations

import cv2
import numpy as np

from convert.proof.novelty import views
from edge.messages import Image, InputSpec

SPEC = InputSpec(64, 64)


def photograph() -> Image:
    """A dark disk, a quarter as wide as the white table that it lies on."""
    image = np.full((240, 320, 3), 235, np.uint8)
    cv2.circle(image, (200, 100), 40, (60, 40, 30), -1, cv2.LINE_AA)
    return image


def share_of_disk(image: Image) -> float:
    return float((image[..., 0] < 80).mean())


def test_an_item_on_a_table_is_also_seen_as_the_device_crops_it_and_on_the_ground_of_a_bin() -> None:
    whole, cropped, on_gray = views(photograph(), SPEC)
    assert {view.shape for view in (whole, cropped, on_gray)} == {(64, 64, 3)}
    assert share_of_disk(cropped) > 4 * share_of_disk(whole)
    assert cropped[0, 0].min() > 220
    assert 100 < on_gray[0, 0].mean() < 120
    inner = np.s_[28:36, 28:36]
    np.testing.assert_allclose(on_gray[inner], cropped[inner], atol=2)  # rounding: the item itself is not changed


def test_a_picture_without_an_outline_is_seen_whole() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    (whole,) = views(noise, SPEC)
    assert whole.shape == (64, 64, 3)
