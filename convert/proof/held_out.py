"""Held-out pictures through several models at once, each by the way it runs on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from convert.network import LOGITS
from edge.classifiers.litert import LiteRTClassifier
from edge.errors import InvalidDataError
from edge.listing import some_of
from edge.preprocess import Image
from edge.run import SplitRow

if TYPE_CHECKING:
    import keras

T = TypeVar("T")

Scorer = Callable[[Image], NDArray[np.float32]]
"""Logits (C,) float32 for one uint8 RGB picture of the input's size."""


class Progress(Protocol):
    """Hands the things on one by one, and may show how far it got."""

    def __call__(self, things: Sequence[T], title: str, /) -> Iterable[T]: ...


def silently(things: Sequence[T], title: str, /) -> Iterable[T]:  # noqa: ARG001  (a Progress that shows nothing)
    """The things, with no sign of progress."""
    return things


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """N pictures, their true classes (N,) int64, and each model's logits (N, C) float32."""

    paths: tuple[str, ...]
    label_indices: NDArray[np.int64]
    logits: Mapping[str, NDArray[np.float32]]


def score_held_out(
    read: Callable[[SplitRow], Image],
    rows: Sequence[SplitRow],
    labels: Sequence[str],
    scorers: Mapping[str, Scorer],
    progress: Progress = silently,
) -> HeldOut:
    """Every picture read once, as an input of the network, and scored by all.

    Raises:
        InvalidDataError: there is no picture, or one of a class that the model does not know.
        MissingInputError, PictureError: a picture is not there or cannot be decoded.
    """
    if not rows:
        raise InvalidDataError("splits.csv holds out no picture (split val): there is nothing to measure; train again")
    if strangers := sorted({row.label for row in rows} - set(labels)):
        raise InvalidDataError(f"splits.csv holds out {some_of(strangers)}, but the model knows {some_of(labels)}")
    scored: dict[str, list[NDArray[np.float32]]] = {name: [] for name in scorers}
    for row in progress(rows, "held-out pictures"):
        image = read(row)
        for name, scorer in scorers.items():
            scored[name].append(scorer(image))
    return HeldOut(
        paths=tuple(row.path for row in rows),
        label_indices=np.array([labels.index(row.label) for row in rows], np.int64),
        logits={name: np.stack(logits) for name, logits in scored.items()},
    )


def network_scorer(network: keras.Model) -> Scorer:
    """The Keras model itself, as a graph with a batch of one."""
    import tensorflow as tf  # noqa: PLC0415  (seconds to import)

    graph = tf.function(lambda image: network(image, training=False)[LOGITS])
    return lambda image: np.asarray(graph(tf.constant(image[None], tf.float32))[0], np.float32)


def classifier_scorer(classifier: LiteRTClassifier) -> Scorer:
    """A TFLite model as the device runs it."""
    return lambda image: classifier.infer(image)[0]
