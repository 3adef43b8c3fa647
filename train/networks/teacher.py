"""Trained networks whose answers a new one learns from, beside the labels: distillation.

Hinton, Vinyals and Dean 2015, arXiv:1503.02531. The teachers see each picture as the student sees it, cut, turned and
lit by the same augmentation, since that is what makes a student as good as they are: Beyer et al. 2022,
arXiv:2106.05237.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge.classifiers.base import softmax
from edge.data_folder import Dataset
from edge.errors import InvalidDataError
from edge.listing import some_of
from edge.run import MODEL_FILE, TeacherRun, load_run, load_splits, model_digest, whole_network
from train.networks.devices import mixed_precision
from train.networks.model import build_model
from train.recipes import Recipe
from train.splits import check_unseen

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """The mean answer of networks, each built for every size of picture that is learned; for several threads."""

    networks: Mapping[int, Sequence[keras.Model]]
    """By the pictures' side in pixels: from (N, H, W, 3) to logits (N, C)."""
    share: float
    """How much of a target the teachers say, 0 to 1; the label says the rest."""
    smoothing: float
    """How much of the label's part goes to all classes alike."""
    lock: threading.Lock

    def targets(self, images: Floats, labels: Floats) -> Floats:
        """What to learn of `images` (N, H, W, 3), 0..255: one-hot `labels` (N, C) mixed with the teachers' scores."""
        with self.lock:
            answers = [np.asarray(one.predict_on_batch(images), np.float32) for one in self.networks[images.shape[1]]]
        scores = softmax(np.mean(answers, axis=0), 1.0)
        smooth = (1 - self.smoothing) * labels + self.smoothing / labels.shape[1]
        mixed: Floats = ((1 - self.share) * smooth + self.share * scores).astype(np.float32)
        return mixed


def identify(folders: Sequence[Path]) -> tuple[TeacherRun, ...]:
    """Where each run lies, and the digest of its network: what a run that they teach depends on.

    Raises:
        MissingInputError, InvalidDataError: a folder is no finished run.
    """
    for folder in folders:
        load_run(folder)
    return tuple(TeacherRun(path=str(folder.resolve()), sha256=model_digest(folder)) for folder in folders)


def load_teacher(folders: Sequence[Path], dataset: Dataset, recipe: Recipe) -> Teacher | None:
    """The finished runs in `folders` as a teacher for `dataset` by `recipe`; None without any.

    Raises:
        MissingInputError, InvalidDataError: a folder is no run, tells other classes apart, or is damaged.
        DatasetError: a run was trained on pictures that `dataset` holds out.
    """
    if not folders:
        return None
    fit, own_px = recipe.fit, recipe.network.train_px
    networks: dict[int, list[keras.Model]] = {phase.train_px or own_px: [] for phase in recipe.phases} | {own_px: []}
    for folder in folders:
        run = load_run(folder)
        if run.labels != dataset.labels:
            expected, found = some_of(dataset.labels), some_of(run.labels)
            raise InvalidDataError(f"{folder} cannot teach here: expected a run of {expected}, found {found}")
        check_unseen(dataset.rows, folder, load_splits(folder))
        try:
            settings = Recipe.model_validate(run.settings)
            weights = keras.models.load_model(whole_network(folder / MODEL_FILE), compile=False).get_weights()
            for size_px, of_size in networks.items():
                of_size.append(_built(settings, weights, size_px, len(run.labels)))
        except (ValueError, KeyError, OSError) as error:
            raise InvalidDataError(
                f"{folder} cannot teach pictures of {' and '.join(map(str, networks))} px, or is damaged: {error}"
            ) from error
    return Teacher(networks, fit.teacher_share, fit.label_smoothing, threading.Lock())


def _built(recipe: Recipe, weights: list[Floats], size_px: int, num_classes: int) -> keras.Model:
    with mixed_precision():
        model = build_model(recipe, num_classes, size_px)
    model.set_weights(weights)
    return keras.Model(model.input, model.output["logits"])
