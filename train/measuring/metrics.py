"""What a classifier's answers are worth, in plain numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edge.classifiers.base import softmax
from edge.confidence import calibration_error, wilson_interval

SCHEMA = 1
_COVERAGES = (1.0, 0.95, 0.9, 0.8)


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """One class: shares in 0..1; `support` is how many pictures it has."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics over labelled pictures.

    `confusion_matrix[true][predicted]` counts pictures; `selective` maps coverage to accuracy; `macro_f1`
    is the mean over the classes that have pictures.
    """

    num_images: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    macro_f1: float
    per_class: Mapping[str, ClassMetrics]
    labels: tuple[str, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    ece: float
    selective: Mapping[str, float]
    model: str

    def to_json(self) -> dict[str, JsonValue]:
        """The object that `sorter evaluate --json` prints."""
        classes: dict[str, JsonValue] = {
            label: {"precision": one.precision, "recall": one.recall, "f1": one.f1, "support": one.support}
            for label, one in self.per_class.items()
        }
        return {
            "schema": SCHEMA,
            "num_images": self.num_images,
            "accuracy": self.accuracy,
            "accuracy_ci95": list(self.accuracy_ci95),
            "macro_f1": self.macro_f1,
            "per_class": classes,
            "labels": list(self.labels),
            "confusion_matrix": [list(row) for row in self.confusion_matrix],
            "ece": self.ece,
            "selective": dict(self.selective),
            "model": self.model,
        }


def measure(logits: NDArray[np.float32], truth: NDArray[np.intp], labels: tuple[str, ...], *, model: str) -> Evaluation:
    """Metrics of `logits` (N, C) against the class indices `truth` (N,)."""
    return measure_scores(softmax(logits, 1.0), truth, labels, model=model)


def measure_scores(
    scores: NDArray[np.float32], truth: NDArray[np.intp], labels: tuple[str, ...], *, model: str
) -> Evaluation:
    """Metrics of `scores` (N, C), which sum to 1, against the class indices `truth` (N,); N is at least 1."""
    predicted, confidence = scores.argmax(axis=1), scores.max(axis=1)
    is_right = predicted == truth
    matrix = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    per_class = {label: _class_metrics(matrix, index) for index, label in enumerate(labels)}
    present = [one.f1 for one in per_class.values() if one.support]
    return Evaluation(
        num_images=len(truth),
        accuracy=float(is_right.mean()),
        accuracy_ci95=wilson_interval(int(is_right.sum()), len(truth)),
        macro_f1=float(np.mean(present)),
        per_class=per_class,
        labels=labels,
        confusion_matrix=tuple(tuple(int(count) for count in row) for row in matrix),
        ece=calibration_error(confidence, is_right),
        selective=selective_accuracy(confidence, is_right),
        model=model,
    )


def selective_accuracy(confidence: NDArray[np.float32], is_right: NDArray[np.bool_]) -> dict[str, float]:
    """Accuracy when only the surest share of the pictures is answered."""
    surest_first = is_right[np.argsort(-confidence, kind="stable")]
    kept = {coverage: max(1, round(coverage * len(surest_first))) for coverage in _COVERAGES}
    return {f"{coverage:.2f}": float(surest_first[:count].mean()) for coverage, count in kept.items()}


def _class_metrics(matrix: NDArray[np.int64], index: int) -> ClassMetrics:
    right, support, answered = int(matrix[index, index]), int(matrix[index].sum()), int(matrix[:, index].sum())
    precision = right / answered if answered else 0.0
    recall = right / support if support else 0.0
    f1 = 2 * right / (support + answered) if support + answered else 0.0
    return ClassMetrics(precision, recall, f1, support)
