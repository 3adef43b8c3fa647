"""Trained networks whose answers a new one learns from, beside the labels: distillation.

Hinton, Vinyals and Dean 2015, arXiv:1503.02531. The teachers see each picture as the student sees it, cut, turned and
lit by the same augmentation, since that is what makes a student as good as they are: Beyer et al. 2022,
arXiv:2106.05237.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge.classifiers.base import softmax
from edge.data_folder import Dataset
from edge.errors import InvalidDataError
from edge.run import MODEL_FILE, load_run, load_splits
from train.networks.model import build_model
from train.recipes import Recipe
from train.splits import check_unseen

Floats = NDArray[np.float32]


class Teacher:
    """The mean answer of finished runs to pictures of any size; safe to ask from several threads."""

    def __init__(self, runs: Sequence[tuple[Recipe, keras.Model]], share: float) -> None:
        """`share`, 0 to 1, is how much of a target the teachers say; the label says the rest."""
        self._runs, self._share = runs, share
        self._sized: dict[int, list[keras.Model]] = {}
        self._lock = threading.Lock()

    def targets(self, images: Floats, labels: Floats) -> Floats:
        """What to learn of `images` (N, H, W, 3), 0..255: one-hot `labels` (N, C) mixed with the teachers' scores."""
        with self._lock:
            networks = self._at(images.shape[1], labels.shape[1])
            answers = [np.asarray(network.predict_on_batch(images)) for network in networks]
        scores = softmax(np.mean(answers, axis=0), 1.0)
        mixed: Floats = ((1 - self._share) * labels + self._share * scores).astype(np.float32)
        return mixed

    def _at(self, size_px: int, num_classes: int) -> list[keras.Model]:
        if size_px not in self._sized:
            self._sized[size_px] = [_resized(recipe, model, size_px, num_classes) for recipe, model in self._runs]
        return self._sized[size_px]


def load_teacher(folders: Sequence[Path], dataset: Dataset, share: float) -> Teacher | None:
    """The finished runs in `folders` as a teacher for `dataset`; None without any.

    Raises:
        MissingInputError, InvalidDataError: a folder is no run, or tells other classes apart.
        DatasetError: a run was trained on pictures that `dataset` holds out.
    """
    runs = []
    for folder in folders:
        run = load_run(folder)
        if run.labels != dataset.labels:
            raise InvalidDataError(
                f"{folder} cannot teach here: expected a run of {', '.join(dataset.labels)},"
                f" found {', '.join(run.labels)}"
            )
        check_unseen(dataset.rows, folder, load_splits(folder))
        model = keras.models.load_model(folder / MODEL_FILE, compile=False)
        runs.append((Recipe.model_validate(run.settings), model))
    return Teacher(runs, share) if runs else None


def _resized(recipe: Recipe, model: keras.Model, size_px: int, num_classes: int) -> keras.Model:
    twin = build_model(recipe, num_classes, size_px)
    twin.set_weights(model.get_weights())
    return keras.Model(twin.input, twin.output["logits"])
