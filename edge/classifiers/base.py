"""What a classifier promises to the loop."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.messages import Image, InputSpec, Prediction


class Classifier(Protocol):
    """A network with its labels; `classify` is called from one thread at a time."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of `Prediction.scores`."""
        ...

    @property
    def input_spec(self) -> InputSpec:
        """The size of picture that `classify` takes."""
        ...

    def classify(self, image: Image) -> Prediction:
        """Scores for one picture of exactly `input_spec`, uint8 RGB. Blocks for one inference."""
        ...


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Scores that sum to 1 over the last axis, softened (above 1) or sharpened by the temperature.

    Temperature scaling after Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    scaled = (logits - logits.max(axis=-1, keepdims=True)) / np.float32(temperature)
    exponentials = np.exp(scaled, dtype=np.float32)
    return exponentials / exponentials.sum(axis=-1, keepdims=True, dtype=np.float32)  # type: ignore[no-any-return]
