"""The same pictures as another lamp, camera or bin would have made them, to see what that costs a classifier."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.confidence import wilson_interval
from edge.preprocess import Image, InputSpec, to_input
from train.pictures.augment import Source, frame, lay_on, random_ground, warp, warp_mask
from train.pictures.foreground import cut_out
from train.recipes import Augment

Scorer = Callable[[Sequence[Image]], NDArray[np.float32]]
"""Scores or logits (N, C) for N pictures at the network's size."""

_WHITE_BALANCE = 0.15
_EXPOSURE = 0.2
_SMALL = 0.5  # of the side: the item then fills a quarter of what it did
_AS_IT_IS = Augment(flips="none")
_CHUNK = 32


@dataclass(frozen=True, slots=True)
class Row:
    """Accuracy under one condition."""

    condition: str
    num_pictures: int
    accuracy: float
    ci95: tuple[float, float]


def gains(red: float, green: float, blue: float) -> Callable[[Image], Image]:
    """Multiply the channels, as another white balance or exposure does before the camera's own gamma would."""

    def change(image: Image) -> Image:
        return np.clip(image * np.array([red, green, blue], np.float32), 0, 255).astype(np.uint8)

    return change


def small_item(image: Image) -> Image:
    """The picture at half its size, in the middle of what its border goes on as."""
    height, width = image.shape[:2]
    inner = cv2.resize(image, (max(1, int(width * _SMALL)), max(1, int(height * _SMALL))), interpolation=cv2.INTER_AREA)
    top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
    sides = (top, height - inner.shape[0] - top, left, width - inner.shape[1] - left)
    wide = cv2.copyMakeBorder(inner, *sides, cv2.BORDER_REPLICATE)
    # Smeared borders are streaks that no scene has: all but the picture is blurred.
    blurred = cv2.GaussianBlur(wide, (0, 0), max(1.0, width / 30))
    blurred[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return blurred.astype(np.uint8)


CONDITIONS: Mapping[str, Callable[[Image], Image]] = {
    "as it is": lambda image: image,
    "white balance +15 % (warm)": gains(1 + _WHITE_BALANCE, 1.0, 1 - _WHITE_BALANCE),
    "white balance -15 % (cold)": gains(1 - _WHITE_BALANCE, 1.0, 1 + _WHITE_BALANCE),
    "exposure +20 %": gains(1 + _EXPOSURE, 1 + _EXPOSURE, 1 + _EXPOSURE),
    "exposure -20 %": gains(1 - _EXPOSURE, 1 - _EXPOSURE, 1 - _EXPOSURE),
    "small item": small_item,
}
OTHER_BACKGROUND = "other background"


def measure_robustness(images: Sequence[Image], truth: Sequence[int], spec: InputSpec, score: Scorer) -> list[Row]:
    """A row for each condition; `images` in their own size, `truth` their class indices."""
    rows = [_row(name, [change(image) for image in images], truth, spec, score) for name, change in CONDITIONS.items()]
    pasted = list(_on_other_grounds(images, spec))
    return [*rows, _row(OTHER_BACKGROUND, pasted, truth, spec, score)]


def _row(name: str, images: Sequence[Image], truth: Sequence[int], spec: InputSpec, score: Scorer) -> Row:
    num_right = 0
    for start in range(0, len(images), _CHUNK):
        inputs = [to_input(image, spec) for image in images[start : start + _CHUNK]]
        num_right += int((score(inputs).argmax(axis=1) == np.array(truth[start : start + _CHUNK])).sum())
    return Row(name, len(images), num_right / len(images), wilson_interval(num_right, len(images)))


def _on_other_grounds(images: Sequence[Image], spec: InputSpec) -> Iterator[Image]:
    """Each item cut out, in its frame, on a ground that is made up or lent by another picture: always the same one."""
    sources = [Source(image, cut_out(image)) for image in images]
    size_px = max(spec.height_px, spec.width_px)
    for index, source in enumerate(sources):
        rng = np.random.default_rng((0, index))
        matrix = frame(source, size_px, _AS_IT_IS, rng)
        item, mask = warp(source.image, matrix, size_px, _AS_IT_IS, rng), warp_mask(source, matrix, size_px)
        yield lay_on(item, mask, random_ground(size_px, size_px, sources, rng), source, _AS_IT_IS, rng)
