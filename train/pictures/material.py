"""What a network is trained and tried on, read once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.data_folder import Dataset
from edge.preprocess import Image, InputSpec
from edge.run import TEST_SPLIT, TRAIN_SPLIT, VAL_SPLIT, SplitRow
from train.networks.teacher import Teacher
from train.pictures.ahead import Reading
from train.pictures.augment import Source
from train.pictures.batches import TrainingBatches, load_sources, read_inputs
from train.pictures.shelf import shelve
from train.recipes import Data, Fit, Recipe

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """N pictures as the device would feed them, of one size, and their class indices (N,)."""

    rows: tuple[SplitRow, ...]
    inputs: Sequence[Image]
    truth: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Pictures to draw training batches from, with one-hot targets (N, C) and loss weights (N,)."""

    recipe: Recipe
    seed: int
    sources: list[Source]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    val: HeldOut
    test: HeldOut | None
    batch_multiple: int
    teacher: Teacher | None = None

    @property
    def fit(self) -> Fit:
        """What the loss goes by: labels are smoothed already where a teacher mixes them with its answers."""
        return self.recipe.fit if self.teacher is None else self.recipe.fit.model_copy(update={"label_smoothing": 0.0})

    @property
    def held_out(self) -> tuple[HeldOut, ...]:
        """The validation pictures and, where there are any, those of the test split."""
        return (self.val,) if self.test is None else (self.val, self.test)

    def batches(self, epoch: int, size_px: int | None = None) -> TrainingBatches:
        """The batches of an epoch, counted from 0: the same whenever they are asked for."""
        return TrainingBatches(
            self.sources,
            self.targets,
            self.weights,
            batch_size=self.recipe.fit.batch_size,
            size_px=size_px or self.recipe.network.train_px,
            ranges=self.recipe.augment,
            seed=self.seed,
            epoch=epoch,
            is_balanced=self.recipe.data.sampling == "balanced",
            multiple_of=self.batch_multiple,
            teacher=self.teacher,
        )


def load_material(
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    scratch: Path,
    batch_multiple: int = 1,
    teacher: Teacher | None = None,
    progress: Reading = iter,
) -> Material:
    """Read every picture of the data once, and keep them in the folder `scratch` (see `train.pictures.shelf`)."""
    rows = dataset.of(TRAIN_SPLIT)
    _log.info("reading %d pictures to train on and %d held out", len(rows), len(dataset.rows) - len(rows))
    labels = _truth(dataset, rows)
    input_px = recipe.network.input_px
    largest_px = max([recipe.network.train_px, *(phase.train_px or 0 for phase in recipe.phases)])
    return Material(
        recipe=recipe,
        seed=seed,
        sources=load_sources(dataset, rows, largest_px, recipe.augment, scratch, progress),
        targets=np.eye(len(dataset.labels), dtype=np.float32)[labels],
        weights=class_weights(labels, recipe.data)[labels],
        val=load_held_out(dataset, VAL_SPLIT, input_px, scratch, progress),
        test=load_held_out(dataset, TEST_SPLIT, input_px, scratch, progress) if dataset.of(TEST_SPLIT) else None,
        batch_multiple=batch_multiple,
        teacher=teacher,
    )


def load_held_out(dataset: Dataset, split: str, size_px: int, scratch: Path, progress: Reading = iter) -> HeldOut:
    """The pictures of a split, at the size of the network that ships, kept in the folder `scratch`."""
    rows = dataset.of(split)
    read = read_inputs(dataset, rows, InputSpec(size_px, size_px))
    inputs = shelve((image for _, image in zip(progress(rows), read, strict=True)), scratch)
    return HeldOut(rows, inputs, _truth(dataset, rows))


def _truth(dataset: Dataset, rows: tuple[SplitRow, ...]) -> NDArray[np.intp]:
    return np.array([dataset.labels.index(row.label) for row in rows], np.intp)


def class_weights(labels: NDArray[np.intp], settings: Data) -> NDArray[np.float32]:
    """A weight for each class, (C,), such that the pictures' mean weight is 1.

    `balanced` is n / (k n_j), King and Zeng 2001; `sqrt` is its root, a compromise with the data's own frequencies.
    """
    counts = np.bincount(labels)
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[settings.class_weights]
    weights = (len(labels) / (len(counts) * counts)) ** power
    scaled: NDArray[np.float32] = (weights / weights[labels].mean()).astype(np.float32)
    return scaled
