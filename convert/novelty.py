"""What known items look like to the converted model, so that the device can tell strangers from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from convert.held_out import Progress, silently
from convert.representative import choose_representative
from edge.classifiers.litert import LiteRTClassifier
from edge.errors import InvalidDataError
from edge.novelty import Novelty, Vectors, fit_class_means, fit_max_distance
from edge.preprocess import Image
from edge.run import VAL_SPLIT, SplitRow

# The mean of a class moves little after so many pictures, and each costs one inference.
_NUM_PER_CLASS = 200

Reader = Callable[[SplitRow], Image]


def fit_novelty(
    classifier: LiteRTClassifier, read: Reader, rows: Sequence[SplitRow], seed: int, progress: Progress = silently
) -> Novelty:
    """Class means of training pictures, and the distance within which nearly all held-out ones lie.

    `classifier` is the very model that will run, `read` gives a picture as an input of it, `rows` are the
    run's pictures.

    Raises:
        InvalidDataError: a class has no training picture, nothing is held out, or the model has no embedding.
        MissingInputError, PictureError: a picture is not there or cannot be decoded.
    """
    labels = classifier.labels
    training = choose_representative(rows, labels, _NUM_PER_CLASS * len(labels), seed)
    held_out = [row for row in rows if row.split == VAL_SPLIT]
    label_indices = np.array([labels.index(row.label) for row in training], np.int64)
    means = fit_class_means(
        _embeddings(classifier, read, progress(training, "known items")), label_indices, len(labels)
    )
    return Novelty(means, fit_max_distance(means, _embeddings(classifier, read, progress(held_out, "held-out items"))))


def _embeddings(classifier: LiteRTClassifier, read: Reader, rows: Iterable[SplitRow]) -> Vectors:
    """One embedding a picture, (N, D)."""
    embeddings = [embedding for row in rows if (embedding := classifier.infer(read(row))[1]) is not None]
    if not embeddings:
        raise InvalidDataError("no embedding of any picture: expected a model with one, and a picture in each split")
    return np.stack(embeddings)
