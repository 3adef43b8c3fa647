"""The run directory: what training leaves behind, and conversion and comparison read.

    run.json      the schema below
    model.keras   Keras 3 model. Input: float32 (N, height_px, width_px, 3) RGB in 0..255, rescaled inside.
                  Outputs: {"logits": (N, C), "embedding": (N, D)}, both float32; classes in the order of `labels`.
    splits.csv    path,label,group,split for every picture that was used; paths relative to `data.root`
    metrics.json  `sorter evaluate --json` on the validation pictures
    history.csv   one line an epoch
    predictions.csv   path,label,split and the score of each class, for every picture that was not trained on
    report.html   all of it for people

A reader refuses a schema that it does not know. This module needs neither Keras nor OpenCV.
"""

from __future__ import annotations

import csv
import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from edge.errors import InvalidDataError, MissingInputError, first_problem
from edge.messages import InputSpec

RUN_FILE = "run.json"
MODEL_FILE = "model.keras"
SPLITS_FILE = "splits.csv"
METRICS_FILE = "metrics.json"
HISTORY_FILE = "history.csv"
PREDICTIONS_FILE = "predictions.csv"
REPORT_FILE = "report.html"
FOLD_FOLDER = "fold{}"  # of a cross-validation, by number from 1 on: a run each

SPLIT_FIELDS = ("path", "label", "group", "split")
TRAIN_SPLIT = "train"
VAL_SPLIT = "val"
TEST_SPLIT = "test"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunInput(_Record):
    """The size that `edge.preprocess.to_input` gave the pictures, and that the model takes."""

    height_px: int = Field(gt=0)
    width_px: int = Field(gt=0)

    def spec(self) -> InputSpec:
        """The same as preprocessing takes it."""
        return InputSpec(self.height_px, self.width_px)


class DataFingerprint(_Record):
    """The pictures behind a run: `sha256` covers the sorted paths, labels, splits and file digests."""

    root: str
    num_pictures: int = Field(gt=0)
    num_left_out: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class TeacherRun(_Record):
    """A finished run whose answers were learned: its directory, and the digest of its `model.keras`."""

    path: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class AveragedRun(_Record):
    """A finished run whose weights are part of a mean: its directory, the digest of its `model.keras`, its share."""

    path: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    share: float = Field(gt=0, le=1)


class RunFold(_Record):
    """Which part of the data a run held out: the `number`th, from 1, of `num_folds`."""

    number: int = Field(ge=1)
    num_folds: int = Field(ge=2)


class Cost(_Record):
    """What the network costs: to train, in wall time, and to run, for one picture of the run's input size."""

    training_s: float = Field(ge=0)
    num_parameters: int = Field(gt=0)
    num_multiply_adds: int = Field(gt=0)


class Run(_Record):
    """`run.json`, schema 1. `settings` is the recipe as it was run, overrides included.

    `weights_sha256` is the digest of the file that `weights` names, None where that is none; `fold` is None but in
    cross-validation; `num_threads` computed it, None in runs of an older sorter and in means.
    """

    schema_version: Literal[1] = Field(default=1, alias="schema")
    created_at: str
    labels: tuple[str, ...] = Field(min_length=2)
    input: RunInput
    backbone: str
    recipe: str
    settings: dict[str, JsonValue]
    weights: str
    weights_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    teachers: tuple[TeacherRun, ...] = ()
    averaged: tuple[AveragedRun, ...] = ()
    seed: int
    fold: RunFold | None = None
    num_threads: int | None = Field(default=None, ge=1)
    versions: dict[str, str]
    data: DataFingerprint
    metrics: dict[str, float]
    cost: Cost | None = None

    @model_validator(mode="after")
    def _labels_differ(self) -> Run:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must differ, found {list(self.labels)}")
        return self


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One picture of `splits.csv`; `group` is empty where nothing is known to show the same object."""

    path: str
    label: str
    group: str
    split: str


def load_run(folder: Path) -> Run:
    """The checked `run.json` of a run directory.

    Raises:
        MissingInputError: the folder, its `run.json` or its `model.keras` is not there.
        InvalidDataError: the file is not a run of schema 1.
    """
    path = folder / RUN_FILE
    if not path.is_file() and (first := folder / FOLD_FOLDER.format(1)).is_dir():
        raise MissingInputError(f"no {path.name} in {folder}, which holds folds: take one, such as {first}")
    for needed in (path, folder / MODEL_FILE):
        if not needed.is_file():
            raise MissingInputError(f"no {needed.name} in {folder}: expected a run directory written by `sorter train`")
    try:
        return Run.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InvalidDataError(f"{path} is not a run of schema 1: {first_problem(error)}; train again") from error


def model_digest(folder: Path) -> str:
    """The sha256 of a run's network, in hexadecimal."""
    return hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest()


def whole_network(path: Path) -> Path:
    """The path of a .keras file, each part of which has the checksum that it was written with.

    Raises:
        InvalidDataError: it is cut short or damaged: Keras itself says so of few.
    """
    try:
        with zipfile.ZipFile(path) as parts:
            is_whole = parts.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        is_whole = False
    if not is_whole:
        raise InvalidDataError(
            f"{path} is not a whole Keras file ({path.stat().st_size} bytes): copy it again, or train again"
        )
    return path


def load_splits(folder: Path) -> tuple[SplitRow, ...]:
    """The pictures that a run used, in the file's order.

    Raises:
        MissingInputError: there is no `splits.csv`.
        InvalidDataError: it lacks a column or a value.
    """
    path = folder / SPLITS_FILE
    if not path.is_file():
        raise MissingInputError(f"no {SPLITS_FILE} in {folder}: expected a run directory written by `sorter train`")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != SPLIT_FIELDS:
            found = ",".join(reader.fieldnames or ())
            raise InvalidDataError(f"{path}: expected the columns {','.join(SPLIT_FIELDS)}, found {found or 'none'}")
        rows = list(reader)
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise InvalidDataError(f"{path}:{line}: expected {len(SPLIT_FIELDS)} values")
    return tuple(SplitRow(**row) for row in rows)
