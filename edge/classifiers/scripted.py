"""A classifier that says what it was told to: for tests of everything behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.messages import Image, InputSpec, Prediction


class ScriptedClassifier:
    """Says each label of `script` in turn, with `confidence`, and stays with the last one.

    The rest is spread evenly over the other labels. `num_calls` counts what was asked.
    """

    def __init__(
        self,
        labels: Sequence[str],
        script: Sequence[str],
        confidence: float = 0.9,
        input_spec: InputSpec = InputSpec(),  # noqa: B008 - frozen
    ) -> None:
        self._labels = tuple(labels)
        self._script = tuple(script)
        self._confidence = confidence
        self._input_spec = input_spec
        self.num_calls = 0

    @property
    def labels(self) -> tuple[str, ...]:
        return self._labels

    @property
    def input_spec(self) -> InputSpec:
        return self._input_spec

    def classify(self, image: Image) -> Prediction:
        if image.shape[:2] != (self._input_spec.height_px, self._input_spec.width_px):
            raise ValueError(f"expected a picture of {self._input_spec}, found {image.shape}: prepare it first")
        winner = self._labels.index(self._script[min(self.num_calls, len(self._script) - 1)])
        self.num_calls += 1
        scores = np.full(len(self._labels), (1 - self._confidence) / (len(self._labels) - 1), np.float32)
        scores[winner] = self._confidence
        return Prediction(scores)
