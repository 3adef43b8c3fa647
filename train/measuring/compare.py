"""Runs side by side, as a study shows its networks: what they get right, what they cost, where they differ."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from pydantic import JsonValue, TypeAdapter, ValidationError

from edge.bundle import Bundle, load_bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.errors import InvalidDataError, MissingInputError, UsageError
from edge.run import HISTORY_FILE, METRICS_FILE, MODEL_FILE, Run, load_run
from train.measuring.metrics import ClassMetrics

_NUM_INVOKES = 30
_BYTES_IN_MB = 1_000_000

History = tuple[Mapping[str, float], ...]


@dataclass(frozen=True, slots=True)
class OnDevice:
    """A run's bundle: size of its TFLite file, and the median time of one inference on this machine's CPU."""

    size_mb: float
    latency_ms: float
    num_threads: int


@dataclass(frozen=True, slots=True)
class Contender:
    """One run of a comparison. Shares are in 0..1; None where an old run does not say."""

    name: str
    run: Run
    history: History
    accuracy: float
    accuracy_ci95: tuple[float, float]
    per_class: Mapping[str, ClassMetrics]
    confusion_matrix: tuple[tuple[int, ...], ...]
    macro_f1: float
    size_mb: float
    on_device: OnDevice | None

    @property
    def weighted_f1(self) -> float:
        """F1 of the classes, weighed by their pictures."""
        total = sum(one.support for one in self.per_class.values())
        return sum(one.f1 * one.support for one in self.per_class.values()) / max(1, total)

    def metric(self, name: str) -> float | None:
        """A number that the run recorded."""
        return self.run.metrics.get(name)

    @property
    def gap(self) -> float | None:
        """How much better it is on the pictures it was trained on."""
        train = self.metric("train_accuracy")
        return None if train is None else train - self.accuracy

    @property
    def num_parameters(self) -> int | None:
        """Weights of the network."""
        return None if self.run.cost is None else self.run.cost.num_parameters

    @property
    def num_multiply_adds(self) -> int | None:
        """For one picture."""
        return None if self.run.cost is None else self.run.cost.num_multiply_adds

    @property
    def tflite_mb(self) -> float | None:
        """Size of the file that a device runs."""
        return None if self.on_device is None else self.on_device.size_mb

    @property
    def latency_ms(self) -> float | None:
        """One inference on this machine."""
        return None if self.on_device is None else self.on_device.latency_ms

    @property
    def training_s(self) -> float | None:
        """Wall time of all epochs."""
        if self.run.cost is not None:
            return self.run.cost.training_s
        return sum(line.get("epoch_s", 0.0) for line in self.history) or None

    @property
    def same_pictures(self) -> str:
        """What two runs must share for their figures to be comparable: the data with its splits."""
        return self.run.data.sha256


_PER_CLASS = TypeAdapter(dict[str, ClassMetrics])
_MATRIX = TypeAdapter(tuple[tuple[int, ...], ...])


def load_contenders(folders: Sequence[Path], bundles: Sequence[Path]) -> list[Contender]:
    """The runs, each with its bundle where bundles are given, in the same order.

    Raises:
        UsageError: there are bundles, but not one a run.
        MissingInputError, InvalidDataError: a folder is not a finished run, or not a bundle.
    """
    if bundles and len(bundles) != len(folders):
        raise UsageError(f"--bundle: expected one a run, {len(folders)} in all, found {len(bundles)}")
    names = _names(folders)
    loaded: list[Bundle | None] = [None] * len(folders)
    if bundles:
        loaded = [load_bundle(path) for path in bundles]
    return [_load(*parts) for parts in zip(folders, names, loaded, strict=True)]


def _names(folders: Sequence[Path]) -> list[str]:
    """The ends of the folders' paths, as long as it takes to tell them apart; a folder given again is numbered."""
    paths = [folder.resolve() for folder in folders]
    num_parts = 1
    while len({path.parts[-num_parts:] for path in paths}) < len(set(paths)):
        num_parts += 1
    names: list[str] = []
    for index, path in enumerate(paths):
        name, earlier = Path(*path.parts[-num_parts:]).as_posix(), paths[:index].count(path)
        names.append(f"{name} ({earlier + 1})" if earlier else name)
    return names


def _load(folder: Path, name: str, bundle: Bundle | None) -> Contender:
    run = load_run(folder)
    path = folder / METRICS_FILE
    if not path.is_file():
        raise MissingInputError(f"no {METRICS_FILE} in {folder}: expected a finished run of `sorter train`")
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))
        return Contender(
            name=name,
            run=run,
            history=load_history(folder),
            accuracy=float(recorded["accuracy"]),
            accuracy_ci95=(float(recorded["accuracy_ci95"][0]), float(recorded["accuracy_ci95"][1])),
            per_class=_PER_CLASS.validate_python(recorded["per_class"]),
            confusion_matrix=_MATRIX.validate_python(recorded["confusion_matrix"]),
            macro_f1=float(recorded["macro_f1"]),
            size_mb=(folder / MODEL_FILE).stat().st_size / _BYTES_IN_MB,
            on_device=None if bundle is None else measure_on_device(bundle),
        )
    except (ValueError, KeyError, TypeError, IndexError, ValidationError) as error:
        raise InvalidDataError(f"{path} is not what `sorter evaluate --json` writes: {error}; train again") from error


def load_history(folder: Path) -> History:
    """The curves of a run, one entry an epoch; none where the file is missing."""
    path = folder / HISTORY_FILE
    if not path.is_file():
        return ()
    with path.open(newline="", encoding="utf-8") as file:
        return tuple({key: float(value) for key, value in line.items()} for line in csv.DictReader(file))


def measure_on_device(bundle: Bundle, num_threads: int = 2) -> OnDevice:
    """The size of the bundle's TFLite file, and the median of some inferences on noise."""
    classifier = LiteRTClassifier(bundle, num_threads)
    spec = classifier.input_spec
    image = np.random.default_rng(0).integers(0, 256, (spec.height_px, spec.width_px, 3), dtype=np.uint8)
    times_s = [classifier.infer(image)[2] for _ in range(_NUM_INVOKES)]
    return OnDevice(bundle.model_path.stat().st_size / _BYTES_IN_MB, 1000 * median(times_s), num_threads)


def rows(contenders: Sequence[Contender]) -> list[tuple[str, list[str]]]:
    """The table: a name and a cell for each run."""
    return [
        ("network", [one.run.backbone for one in contenders]),
        ("input, pixels", [str(one.run.input.width_px) for one in contenders]),
        ("training accuracy", [_percent(one.metric("train_accuracy")) for one in contenders]),
        ("validation accuracy", [_percent(one.accuracy) for one in contenders]),
        ("  95 % interval", [f"{one.accuracy_ci95[0]:.1%} to {one.accuracy_ci95[1]:.1%}" for one in contenders]),
        ("gap, points", [_number(one.gap, 100, 1) for one in contenders]),
        ("training loss", [_number(one.metric("train_loss"), 1, 3) for one in contenders]),
        ("validation loss", [_number(one.metric("val_loss"), 1, 3) for one in contenders]),
        ("test accuracy", [_percent(one.metric("test_accuracy")) for one in contenders]),
        ("macro F1", [_percent(one.macro_f1) for one in contenders]),
        ("weighted F1", [_percent(one.weighted_f1) for one in contenders]),
        ("calibration error", [_number(one.metric("ece"), 1, 3) for one in contenders]),
        ("parameters, M", [_number(one.num_parameters, 1e-6, 2) for one in contenders]),
        ("multiply-adds, G", [_number(one.num_multiply_adds, 1e-9, 2) for one in contenders]),
        ("Keras file, MB", [f"{one.size_mb:.1f}" for one in contenders]),
        ("TFLite file, MB", [_number(one.tflite_mb, 1, 1) for one in contenders]),
        ("inference, ms", [_number(one.latency_ms, 1, 1) for one in contenders]),
        ("epochs", [str(len(one.history)) for one in contenders]),
        ("training, min", [_number(one.training_s, 1 / 60, 1) for one in contenders]),
    ]


def class_rows(contenders: Sequence[Contender]) -> list[tuple[str, list[str]]]:
    """Precision, recall and F1 of every class that any run knows."""
    labels = dict.fromkeys(label for one in contenders for label in one.run.labels)
    return [(label, [_class_cell(one.per_class.get(label)) for one in contenders]) for label in labels]


def _class_cell(one: ClassMetrics | None) -> str:
    if one is None or not one.support:
        return "-"
    return f"{100 * one.precision:.1f} {100 * one.recall:.1f} {100 * one.f1:.1f}"


def warnings(contenders: Sequence[Contender]) -> list[str]:
    """What makes the figures hard to compare."""
    if len({frozenset(one.run.labels) for one in contenders}) > 1:
        return ["the runs tell different classes apart: how often they are right says nothing of which is better"]
    if len({one.same_pictures for one in contenders}) > 1:
        return ["the runs do not share pictures and splits: differences of some points may come from that"]
    return []


def to_json(contenders: Sequence[Contender]) -> dict[str, JsonValue]:
    """The object that `sorter compare --json` prints."""
    return {"schema": 1, "runs": [_one_json(one) for one in contenders], "warnings": list(warnings(contenders))}


def _one_json(one: Contender) -> dict[str, JsonValue]:
    return {
        "name": one.name,
        "recipe": one.run.recipe,
        "backbone": one.run.backbone,
        "input_px": one.run.input.width_px,
        "train_accuracy": one.metric("train_accuracy"),
        "train_loss": one.metric("train_loss"),
        "val_accuracy": one.accuracy,
        "val_accuracy_ci95": list(one.accuracy_ci95),
        "val_loss": one.metric("val_loss"),
        "gap": one.gap,
        "test_accuracy": one.metric("test_accuracy"),
        "macro_f1": one.macro_f1,
        "weighted_f1": one.weighted_f1,
        "ece": one.metric("ece"),
        "per_class": {
            label: {"precision": each.precision, "recall": each.recall, "f1": each.f1, "support": each.support}
            for label, each in one.per_class.items()
        },
        "labels": list(one.run.labels),
        "confusion_matrix": [list(line) for line in one.confusion_matrix],
        "num_parameters": one.num_parameters,
        "num_multiply_adds": one.num_multiply_adds,
        "keras_mb": one.size_mb,
        "tflite_mb": one.tflite_mb,
        "latency_ms": one.latency_ms,
        "num_epochs": len(one.history),
        "training_s": one.training_s,
        "data_sha256": one.same_pictures,
    }


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _number(value: float | None, factor: float, digits: int) -> str:
    return "-" if value is None else f"{value * factor:.{digits}f}"
