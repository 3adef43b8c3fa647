"""Items are found by their outlines: paper on white, bottles, not shadows, not print."""

from __future__ import annotations

import cv2
import numpy as np

from edge.simulation.cutout import cut_out
from edge.simulation.outline import find_outline

HEIGHT, WIDTH = 240, 320


def table(level: int = 215) -> np.ndarray:
    """A white table under one lamp, with a little grain."""
    lamp = np.linspace(1, 0.85, WIDTH)[np.newaxis, :, np.newaxis]
    grain = np.random.default_rng(0).normal(0, 1, (HEIGHT, WIDTH, 1))
    return np.broadcast_to(np.clip(level * lamp + grain, 0, 255), (HEIGHT, WIDTH, 3)).astype(np.uint8)


def overlap(mask: np.ndarray, left: int, top: int, right: int, bottom: int) -> float:
    """Intersection over union with a box of the picture."""
    full = cv2.resize(mask, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST) > 0
    box = np.zeros_like(full)
    box[top:bottom, left:right] = True
    return float((full & box).sum() / (full | box).sum())


def test_white_paper_on_a_white_table_is_found_by_its_edge() -> None:
    image = table()
    image[60:180, 90:240] = np.minimum(image[60:180, 90:240].astype(int) + 4, 255)
    cv2.rectangle(image, (90, 60), (240, 180), (165, 165, 165), 2)
    mask = find_outline(image)
    assert mask is not None
    # An edge is found to 2 of 192 pixels, 3.3 of these 320; around 150x120 that is 10 %.
    assert overlap(mask, 90, 60, 240, 180) > 0.88


def test_a_soft_shadow_is_ground() -> None:
    image = table().astype(np.float32)
    shade = np.zeros((HEIGHT, WIDTH), np.float32)
    shade[50:200, 160:300] = 0.4
    image *= 1 - cv2.GaussianBlur(shade, (0, 0), 16)[..., np.newaxis]
    image[80:160, 110:200] = (40, 90, 160)
    mask = find_outline(image.astype(np.uint8))
    assert mask is not None
    assert overlap(mask, 110, 80, 200, 160) > 0.85


def test_print_on_cardboard_that_fills_the_picture_is_no_item() -> None:
    image = np.full((HEIGHT, WIDTH, 3), (178, 140, 100), np.uint8)
    cv2.putText(image, "THIS SIDE UP", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 1, (60, 40, 30), 4)
    cv2.putText(image, "4 x 15", (200, 220), cv2.FONT_HERSHEY_SIMPLEX, 1, (60, 40, 30), 4)
    assert find_outline(image) is None
    sheet = cut_out(image)
    assert sheet.image.shape[0] > 0.9 * HEIGHT
    assert sheet.image.shape[1] > 0.9 * WIDTH


def test_a_crumb_is_no_item() -> None:
    image = table()
    image[118:122, 158:162] = (40, 90, 160)
    assert find_outline(image) is None


def test_pictures_of_any_shape_are_taken() -> None:
    for shape in ((20, 300, 3), (300, 20, 3), (16, 16, 3)):
        mask = find_outline(np.full(shape, 128, np.uint8))
        assert mask is None
