"""Batches of augmented pictures, made by threads while the network works: no tf.data, so any Keras backend."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from edge.data_folder import Dataset
from edge.errors import DatasetError
from edge.preprocess import Image, InputSpec, load_picture, resize, to_input
from edge.run import SplitRow
from train.augment import Source, augment
from train.foreground import cut_out
from train.recipes import Augment

Batch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

# Sources are kept larger than the network's input, since the warp enlarges parts of them.
_SOURCE_SCALE = 1.15
_READ_THREADS = 2


def load_sources(
    dataset: Dataset, rows: Sequence[SplitRow], size_px: int, clear_labels: Collection[str] = ()
) -> list[Source]:
    """The pictures of `rows` in their own aspect ratio, the shorter side a little above `size_px`."""
    cv2.setNumThreads(1)  # one picture a thread; OpenCV's own threads would fight the network for the cores
    with ThreadPoolExecutor(_READ_THREADS, "sources") as pool:
        return list(pool.map(lambda row: _load_source(dataset, row, size_px, is_clear=row.label in clear_labels), rows))


def _load_source(dataset: Dataset, row: SplitRow, size_px: int, *, is_clear: bool) -> Source:
    image = load_picture(dataset.path(row))
    height, width = image.shape[:2]
    scale = min(1.0, _SOURCE_SCALE * size_px / min(height, width))
    image = resize(image, InputSpec(max(1, round(height * scale)), max(1, round(width * scale))))
    return Source(image, cut_out(image), is_clear)


def load_inputs(dataset: Dataset, rows: Sequence[SplitRow], spec: InputSpec) -> NDArray[np.uint8]:
    """The pictures of `rows` exactly as the device would feed them, (N, height_px, width_px, 3)."""
    if not rows:
        raise DatasetError(f"{dataset.root}: expected pictures, found none for this split")
    with ThreadPoolExecutor(_READ_THREADS, "inputs") as pool:
        images: list[Image] = list(pool.map(lambda row: to_input(load_picture(dataset.path(row)), spec), rows))
    return np.stack(images)


class TrainingBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch of (images, one-hot labels, weights), the same for the same seed and epoch on any number of threads."""

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
        shuffle: bool = True,
    ) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=6)
        self._sources, self._targets, self._weights = sources, targets, weights
        self._batch_size, self._size_px, self._ranges = batch_size, size_px, ranges
        self._seed, self._epoch = seed, epoch
        order = np.random.default_rng((seed, epoch)).permutation(len(sources))
        self._order = order if shuffle else np.arange(len(sources))

    @property
    def num_batches(self) -> int:
        """Steps of the epoch; the last batch may be smaller."""
        return ceil(len(self._order) / self._batch_size)

    def __len__(self) -> int:
        return self.num_batches

    def __getitem__(self, index: int) -> Batch:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        images = np.stack([self._augmented(int(source_index)) for source_index in chosen])
        return images.astype(np.float32), self._targets[chosen], self._weights[chosen]

    def _augmented(self, source_index: int) -> Image:
        rng = np.random.default_rng((self._seed, self._epoch, source_index))
        return augment(self._sources[source_index], self._sources, self._size_px, self._ranges, rng)
