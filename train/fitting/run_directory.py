"""Write a run directory, each file whole or not at all; `edge.run` says what is in it."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge.classifiers.base import softmax
from edge.data_folder import Dataset, fingerprint
from edge.files.whole_file import whole_file
from edge.run import (
    HISTORY_FILE,
    METRICS_FILE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    RUN_FILE,
    SPLIT_FIELDS,
    SPLITS_FILE,
    AveragedRun,
    Cost,
    DataFingerprint,
    Run,
    RunFold,
    RunInput,
    SplitRow,
    TeacherRun,
)
from train.fitting.checkpoint import CHECKPOINT_FILE
from train.fitting.progress import Epoch
from train.measuring.metrics import Evaluation
from train.recipes import Recipe

_RECORDED = (
    "edge-sorter",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "jax",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a network comes from, in words that the run directory keeps; `averaged` where it is a mean of runs."""

    recipe_name: str
    weights: str
    seed: int
    training_s: float
    teachers: tuple[TeacherRun, ...]
    averaged: tuple[AveragedRun, ...] = ()
    weights_sha256: str | None = None
    fold: RunFold | None = None
    num_threads: int | None = None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run directory records besides data, recipe and evaluation; `metrics` are added to the evaluation's."""

    origin: Origin
    num_parameters: int
    num_multiply_adds: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Logits (N, C) for N held-out pictures."""

    rows: Sequence[SplitRow]
    logits: NDArray[np.float32]


def describe_run(dataset: Dataset, recipe: Recipe, facts: RunFacts, evaluation: Evaluation) -> Run:
    """Everything that is needed to do the run again, and what came of it."""
    size_px, origin = recipe.network.input_px, facts.origin
    return Run(
        schema=1,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=dataset.labels,
        input=RunInput(height_px=size_px, width_px=size_px),
        backbone=recipe.network.backbone,
        recipe=origin.recipe_name,
        settings=recipe.model_dump(mode="json"),
        weights=origin.weights,
        weights_sha256=origin.weights_sha256,
        teachers=origin.teachers,
        averaged=origin.averaged,
        seed=origin.seed,
        fold=origin.fold,
        num_threads=origin.num_threads,
        versions=recorded_versions(),
        data=DataFingerprint(
            root=str(dataset.root.resolve()),
            num_pictures=len(dataset.rows),
            num_left_out=len(dataset.left_out),
            sha256=fingerprint(dataset),
        ),
        metrics={
            "accuracy": evaluation.accuracy,
            "macro_f1": evaluation.macro_f1,
            "ece": evaluation.ece,
            **facts.metrics,
        },
        cost=Cost(
            training_s=origin.training_s,
            num_parameters=facts.num_parameters,
            num_multiply_adds=facts.num_multiply_adds,
        ),
    )


def recorded_versions() -> dict[str, str]:
    """What is installed of the distributions that decide a run, by their normalized names."""
    installed = {_normalized(found.name): found.version for found in importlib.metadata.distributions()}
    return {name: installed[name] for name in _RECORDED if name in installed}


def _normalized(name: str) -> str:
    """The one spelling of a distribution's name: what is asked for as tensorflow-cpu calls itself tensorflow_cpu.

    https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def write_results(out: Path, model: keras.Model, evaluation: Evaluation, run: Run) -> None:
    """Write model, metrics and run.json; that comes last, so that a directory with one is complete."""
    save_model(model, out / MODEL_FILE)
    _write_text(out / METRICS_FILE, json.dumps(evaluation.to_json(), indent=1) + "\n")
    _write_text(out / RUN_FILE, run.model_dump_json(by_alias=True, indent=1) + "\n")
    (out / CHECKPOINT_FILE).unlink(missing_ok=True)


def write_history(out: Path, history: Sequence[Epoch]) -> None:
    """Write the curves, one line an epoch."""
    lines = [",".join(field.name for field in fields(Epoch))]
    lines += [",".join(f"{value:.6g}" for value in astuple(epoch)) for epoch in history]
    _write_text(out / HISTORY_FILE, "\n".join(lines) + "\n")


def write_predictions(out: Path, labels: Sequence[str], answers: Iterable[Answers]) -> None:
    """Write the scores of every held-out picture."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "split", *labels])
    for part in answers:
        for row, scores in zip(part.rows, softmax(part.logits, 1.0), strict=True):
            writer.writerow([row.path, row.label, row.split, *(f"{score:.6f}" for score in scores)])
    _write_text(out / PREDICTIONS_FILE, text.getvalue())


def write_splits(out: Path, dataset: Dataset) -> None:
    """Write which picture is trained on and which is held out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SPLIT_FIELDS)
    writer.writerows((row.path, row.label, row.group, row.split) for row in dataset.rows)
    _write_text(out / SPLITS_FILE, text.getvalue())


def save_model(model: keras.Model, path: Path) -> None:
    """Save a Keras model as `path`, whole or not at all."""
    with whole_file(path) as unfinished:
        model.save(unfinished)


def _write_text(path: Path, text: str) -> None:
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
