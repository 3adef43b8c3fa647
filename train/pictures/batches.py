"""Batches of augmented pictures, made by threads while the network works: no tf.data, so any Keras backend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import ceil
from pathlib import Path

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from edge.data_folder import Dataset
from edge.errors import DatasetError
from edge.preprocess import Image, InputSpec, load_picture, to_input
from edge.run import SplitRow
from train.networks.teacher import Teacher
from train.pictures.ahead import Reading, read_ahead
from train.pictures.augment import Source, augment, shrunk
from train.pictures.foreground import Mask, cut_out
from train.pictures.shelf import shelve
from train.recipes import Augment

Batch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

# Sources are kept larger than the network's input, since the warp enlarges parts of them.
_SOURCE_SCALE = 1.15
_READ_THREADS = 2
_NO_PIXELS: Image = np.empty(0, np.uint8)


def load_sources(
    dataset: Dataset,
    rows: Sequence[SplitRow],
    size_px: int,
    ranges: Augment,
    scratch: Path,
    progress: Reading = iter,
) -> list[Source]:
    """The pictures of `rows` in their own aspect ratio, the shorter side a little above `size_px`.

    Their pixels lie in the folder `scratch` (see `train.pictures.shelf`).
    """
    cv2.setNumThreads(1)  # one picture a thread; OpenCV's own threads would fight the network for the cores
    sources: list[Source] = []

    def pixels() -> Iterator[Image]:
        read = read_ahead(partial(_load_source, dataset, size_px, ranges), rows, _READ_THREADS)
        for _, source in zip(progress(rows), read, strict=True):
            yield source.image
            yield source.cutout.mask
            sources.append(_with_pixels(source, _NO_PIXELS, _NO_PIXELS))

    shelved = shelve(pixels(), scratch)
    return [
        _with_pixels(source, image, mask)
        for source, image, mask in zip(sources, shelved[::2], shelved[1::2], strict=True)
    ]


def _load_source(dataset: Dataset, size_px: int, ranges: Augment, row: SplitRow) -> Source:
    image = shrunk(load_picture(dataset.path(row)), _SOURCE_SCALE * size_px)
    cutout = cut_out(image)
    keeps_ground = cutout.is_sheet and row.label not in ranges.sheet_labels
    return Source(image, cutout, row.label in ranges.clear_labels, keeps_ground)


def _with_pixels(source: Source, image: Image, mask: Mask) -> Source:
    return replace(source, image=image, cutout=replace(source.cutout, mask=mask))


def read_inputs(dataset: Dataset, rows: Sequence[SplitRow], spec: InputSpec) -> Iterator[Image]:
    """The pictures of `rows` exactly as the device would feed them, (height_px, width_px, 3) each.

    Raises:
        DatasetError: there are none.
    """
    if not rows:
        raise DatasetError(f"{dataset.root}: expected pictures, found none for this split")
    return read_ahead(lambda row: to_input(load_picture(dataset.path(row)), spec), rows, _READ_THREADS)


class TrainingBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch of (images, targets, weights), the same for the same seed and epoch on any number of threads.

    With `is_balanced` every class is drawn equally often, so rare ones repeat; `multiple_of` divides the batches.
    Targets are one-hot labels, mixed with what a `teacher` answers.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        targets: NDArray[np.float32],
        weights: NDArray[np.float32],
        *,
        batch_size: int,
        size_px: int,
        ranges: Augment,
        seed: int,
        epoch: int,
        is_balanced: bool = False,
        multiple_of: int = 1,
        teacher: Teacher | None = None,
    ) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=6)
        self._sources, self._targets, self._weights = sources, targets, weights
        self._batch_size, self._size_px, self._ranges = batch_size, size_px, ranges
        self._seed, self._epoch, self._is_balanced = seed, epoch, is_balanced
        self._teacher = teacher
        rng = np.random.default_rng((seed, epoch))
        order = _balanced_order(targets, rng) if is_balanced else rng.permutation(len(sources))
        # Devices share a batch evenly; an epoch may leave out fewer pictures than there are devices.
        self._order = order[: len(order) // multiple_of * multiple_of]

    @property
    def num_batches(self) -> int:
        """Steps of the epoch; the last batch may be smaller."""
        return ceil(len(self._order) / self._batch_size)

    def __len__(self) -> int:
        return self.num_batches

    def __getitem__(self, index: int) -> Batch:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        first = index * self._batch_size
        augmented = np.stack([self._augmented(int(chosen[k]), first + k) for k in range(len(chosen))])
        images, targets = augmented.astype(np.float32), self._targets[chosen]
        if self._teacher is not None:
            targets = self._teacher.targets(images, targets)
        return images, targets, self._weights[chosen]

    def _augmented(self, source_index: int, place: int) -> Image:
        # A picture that is drawn twice in an epoch must not look the same twice.
        chance = (self._seed, self._epoch, source_index, *([place] if self._is_balanced else []))
        rng = np.random.default_rng(chance)
        return augment(self._sources[source_index], self._sources, self._size_px, self._ranges, rng)


def _balanced_order(targets: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.intp]:
    """As many indices as there are pictures, every class with the same chance."""
    share = targets @ (1 / targets.sum(axis=0))
    return rng.choice(len(targets), len(targets), p=share / share.sum())
