"""Pictures to train on and to cut out, drawn here: the same ones every time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Image

LABELS = ("disc", "square", "stripes")


def draw_shapes(root: Path, num_each: int) -> Path:
    """Write `num_each` pictures of every class, always the same ones, into a data folder; gives it back."""
    chance = np.random.default_rng(0)
    for label in LABELS:
        (root / label).mkdir(parents=True)
        for number in range(num_each):
            cv2.imwrite(str(root / label / f"{number:02}.png"), _DRAWINGS[label](chance))
    return root


def draw_item(height: int = 120, width: int = 160) -> Image:
    """A red box, 60x40, in the middle of a light gray ground with a little grain; RGB."""
    image = np.random.default_rng(0).normal(200, 2, (height, width, 3)).clip(0, 255).astype(np.uint8)
    y, x = height // 2 - 20, width // 2 - 30
    image[y : y + 40, x : x + 60] = (190, 30, 40)
    return image


def _ground(chance: np.random.Generator) -> NDArray[np.uint8]:
    return chance.integers(170, 190, (80, 96, 3), dtype=np.uint8)


def _disc(chance: np.random.Generator) -> NDArray[np.uint8]:
    image = _ground(chance)
    cv2.circle(image, (int(chance.integers(38, 58)), int(chance.integers(34, 46))), 24, (40, 40, 220), -1)
    return image


def _square(chance: np.random.Generator) -> NDArray[np.uint8]:
    image, x, y = _ground(chance), int(chance.integers(16, 36)), int(chance.integers(12, 28))
    cv2.rectangle(image, (x, y), (x + 42, y + 42), (220, 60, 40), -1)
    return image


def _stripes(chance: np.random.Generator) -> NDArray[np.uint8]:
    image = _ground(chance)
    image[:, int(chance.integers(0, 6)) :: 8] = 20
    return image


_DRAWINGS: dict[str, Callable[[np.random.Generator], NDArray[np.uint8]]] = {
    "disc": _disc,
    "square": _square,
    "stripes": _stripes,
}
