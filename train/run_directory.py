"""Write a run directory, each file whole or not at all; `edge.run` says what is in it."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import keras

from edge.data_folder import Dataset, fingerprint
from edge.run import (
    HISTORY_FILE,
    METRICS_FILE,
    MODEL_FILE,
    RUN_FILE,
    SPLIT_FIELDS,
    SPLITS_FILE,
    DataFingerprint,
    Run,
    RunInput,
)
from train.metrics import Evaluation
from train.recipes import Recipe

CHECKPOINT_FILE = "checkpoint.keras"

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


def describe_run(
    dataset: Dataset, recipe: Recipe, *, recipe_name: str, weights: str, seed: int, evaluation: Evaluation
) -> Run:
    """Everything that is needed to do the run again, and what came of it."""
    size_px = recipe.network.input_px
    return Run(
        schema=1,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=dataset.labels,
        input=RunInput(height_px=size_px, width_px=size_px),
        backbone=recipe.network.backbone,
        recipe=recipe_name,
        settings=recipe.model_dump(mode="json"),
        weights=weights,
        seed=seed,
        versions=_versions(),
        data=DataFingerprint(
            root=str(dataset.root.resolve()),
            num_pictures=len(dataset.rows),
            num_left_out=len(dataset.left_out),
            sha256=fingerprint(dataset),
        ),
        metrics={"accuracy": evaluation.accuracy, "macro_f1": evaluation.macro_f1, "ece": evaluation.ece},
    )


def _versions() -> dict[str, str]:
    installed = {found.metadata["Name"]: found.version for found in importlib.metadata.distributions()}
    return {name: installed[name] for name in _RECORDED if name in installed}


def write_results(out: Path, model: keras.Model, evaluation: Evaluation, run: Run) -> None:
    """Write model, metrics and run.json; that comes last, so that a directory with one is complete."""
    save_model(model, out / MODEL_FILE)
    _write_text(out / METRICS_FILE, json.dumps(evaluation.to_json(), indent=1) + "\n")
    _write_text(out / RUN_FILE, run.model_dump_json(by_alias=True, indent=1) + "\n")
    (out / CHECKPOINT_FILE).unlink(missing_ok=True)


def write_history(out: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write the curves, one line an epoch; all have the keys of the first."""
    lines = [",".join(history[0])] if history else []
    lines += [",".join(f"{value:.6g}" for value in line.values()) for line in history]
    _write_text(out / HISTORY_FILE, "\n".join(lines) + "\n")


def write_splits(out: Path, dataset: Dataset) -> None:
    """Write which picture is trained on and which is held out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SPLIT_FIELDS)
    writer.writerows((row.path, row.label, row.group, row.split) for row in dataset.rows)
    _write_text(out / SPLITS_FILE, text.getvalue())


def save_model(model: keras.Model, path: Path) -> None:
    """Save a Keras model as `path`, by way of a file beside it."""
    partial = path.with_name(f".{path.stem}.partial.keras")  # Keras goes by the suffix
    model.save(partial)
    partial.replace(path)


def _write_text(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
