"""The same pictures as another lamp, camera or bin would have made them, to see what that costs a classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.confidence import wilson_interval
from edge.preprocess import Image, InputSpec, to_input
from train.measuring.progress import Progress
from train.pictures.augment import Lend, Rng, Source, frame, lay_on, random_ground, shrunk, warp, warp_mask
from train.pictures.foreground import cut_out
from train.recipes import Augment

Scorer = Callable[[Sequence[Image]], NDArray[np.float32]]
"""Scores or logits (N, C) for N pictures at the network's size."""
OpenPicture = Callable[[int], Image]
"""The picture of that index in its own size, opened anew each time."""

_WHITE_BALANCE = 0.15
_EXPOSURE = 0.2
_SMALL = 0.5  # of the side: the item then fills a quarter of what it did
_UNCHANGED = Augment(flips="none")
# What the network takes, twice: a small item still has a pixel for each of the network's. To blur a telephone's
# 12 megapixels takes 15 s, and the network sees none of them.
_SHORTER_SIDE = 2


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
    "white balance +15 % (warm)": gains(1 + _WHITE_BALANCE, 1.0, 1 - _WHITE_BALANCE),
    "white balance -15 % (cold)": gains(1 - _WHITE_BALANCE, 1.0, 1 + _WHITE_BALANCE),
    "exposure +20 %": gains(1 + _EXPOSURE, 1 + _EXPOSURE, 1 + _EXPOSURE),
    "exposure -20 %": gains(1 - _EXPOSURE, 1 - _EXPOSURE, 1 - _EXPOSURE),
    "small item": small_item,
}
AS_IT_IS = "as it is"
OTHER_BACKGROUND = "other background"


def measure_robustness(
    open_picture: OpenPicture, truth: Sequence[int], spec: InputSpec, score: Scorer, progress: Progress = iter
) -> list[Row]:
    """A row for each condition, of as many pictures as `truth` has class indices; two at most are in memory at once.

    As it is, a picture goes to the network as everywhere; the other conditions see a large one shrunk.
    """
    is_right = [
        score(_under_conditions(open_picture, index, len(truth), spec)).argmax(axis=1) == truth[index]
        for index in progress(range(len(truth)))
    ]
    counts: list[int] = np.sum(is_right, axis=0).tolist()
    return [
        Row(name, len(truth), num_right / len(truth), wilson_interval(num_right, len(truth)))
        for name, num_right in zip([AS_IT_IS, *CONDITIONS, OTHER_BACKGROUND], counts, strict=True)
    ]


def _under_conditions(open_picture: OpenPicture, index: int, num_pictures: int, spec: InputSpec) -> list[Image]:
    """One picture at the network's size, once for each row."""
    size_px = max(spec.height_px, spec.width_px)

    def small(image: Image) -> Image:
        return shrunk(image, _SHORTER_SIDE * size_px)

    def lend(rng: Rng) -> Image:
        return small(open_picture(int(rng.integers(num_pictures))))

    whole = open_picture(index)
    image = small(whole)
    changed = [change(image) for change in CONDITIONS.values()]
    # The same ground in every measurement.
    pasted = _on_other_ground(image, size_px, lend, np.random.default_rng((0, index)))
    return [to_input(shown, spec) for shown in (whole, *changed, pasted)]


def _on_other_ground(image: Image, size_px: int, lend: Lend, rng: Rng) -> Image:
    """The item cut out, in its frame, on a ground that is made up or lent by another picture."""
    source = Source(image, cut_out(image))
    matrix = frame(source, size_px, _UNCHANGED, rng)
    item, mask = warp(image, matrix, size_px, _UNCHANGED, rng), warp_mask(source, matrix, size_px)
    return lay_on(item, mask, random_ground(size_px, size_px, lend, rng), source, _UNCHANGED, rng)
