"""Hold a classifier against labelled pictures, exactly as the device runs it. Needs no Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.classifiers.base import Classifier
from edge.data_folder import Dataset, LeftOut, labelled_pictures
from edge.errors import DatasetError, UsageError
from edge.messages import Box
from edge.preprocess import Image, cut_to, load_picture, to_input
from edge.run import TEST_SPLIT, TRAIN_SPLIT, VAL_SPLIT, SplitRow, load_splits
from train.measuring.metrics import Evaluation, measure_scores
from train.measuring.progress import Progress
from train.measuring.robustness import Row, measure_robustness

Find = Callable[[Image], Box | None]


def whole(_image: Image) -> None:
    """What finds nothing: pictures are taken whole."""


class Part(StrEnum):
    """Which pictures of a data folder are looked at."""

    TRAIN = TRAIN_SPLIT
    VAL = VAL_SPLIT
    TEST = TEST_SPLIT
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The metrics, which part of the data they are of, and the pictures that could not be read."""

    evaluation: Evaluation
    part: Part
    left_out: tuple[LeftOut, ...]


def evaluate(
    dataset: Dataset,
    classifier: Classifier,
    *,
    model: str,
    part: Part | None = None,
    progress: Progress = iter,
    find: Find = whole,
) -> Outcome:
    """Classify pictures of `part`: by default the val split where `groups.csv` has one, else all.

    `model` names the classifier in the result; `find` says where in a picture the item is, None for all of it.

    Raises:
        UsageError: a split is asked for, but the data has none.
        DatasetError: a class that the classifier does not know, or no picture, or none that can be read.
    """
    part = part or (Part.VAL if dataset.has_splits else Part.ALL)
    rows = _choose(dataset, part)
    scores: list[NDArray[np.float32]] = []
    truth: list[int] = []
    left_out = list(dataset.left_out)
    for _, label_index, image in labelled_pictures(dataset, rows, classifier.labels, left_out, progress):
        scores.append(classifier.classify(to_input(image, classifier.input_spec, find(image))).scores)
        truth.append(label_index)
    if not rows:
        raise DatasetError(f"{dataset.root}: there are no pictures of part {part}: choose another --split")
    if not scores:
        raise DatasetError(f"{dataset.root}: none of the {len(rows)} pictures of part {part} can be read")
    evaluation = measure_scores(np.stack(scores), np.array(truth), classifier.labels, model=model)
    return Outcome(evaluation, part, tuple(left_out))


def with_splits_of(dataset: Dataset, run: Path) -> Dataset:
    """The pictures that a run used, in the splits that it used them.

    Raises:
        MissingInputError, InvalidDataError: it is no run directory.
        DatasetError: the run used none of these pictures.
    """
    used = {row.path: row for row in load_splits(run)}
    rows = tuple(used[row.path] for row in dataset.rows if row.path in used)
    if not rows:
        raise DatasetError(f"{dataset.root}: expected pictures that {run} used, found none of its {len(used)}")
    return replace(dataset, rows=rows)


def evaluate_conditions(
    dataset: Dataset,
    classifier: Classifier,
    outcome: Outcome,
    *,
    progress: Progress = iter,
    find: Find = whole,
) -> list[Row]:
    """Accuracy on the pictures that `outcome` is of in other conditions (`train.measuring.robustness`).

    With `find` the conditions change what it makes of a picture: the item's square, cut out of the picture as it is.

    Raises:
        MissingInputError, PictureError: a picture has gone or changed since.
    """
    left_out = {picture.path for picture in outcome.left_out}
    rows = [row for row in _choose(dataset, outcome.part) if row.path not in left_out]

    def open_picture(index: int) -> Image:
        image = load_picture(dataset.path(rows[index]))
        return cut_to(image, find(image))

    def score(inputs: Sequence[Image]) -> NDArray[np.float32]:
        return np.stack([classifier.classify(image).scores for image in inputs])

    truth = [classifier.labels.index(row.label) for row in rows]
    return measure_robustness(open_picture, truth, classifier.input_spec, score, progress)


def _choose(dataset: Dataset, part: Part) -> tuple[SplitRow, ...]:
    if part is Part.ALL:
        return dataset.rows
    if not dataset.has_splits:
        raise UsageError(f"{dataset.root} has no groups.csv with splits: expected --split all, found {part}")
    return dataset.of(part)
