"""What known items look like to the converted model, so that the device can tell strangers from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil

import numpy as np

from convert.held_out import Progress, silently
from convert.representative import choose_representative
from edge.classifiers.litert import LiteRTClassifier
from edge.confidence import tolerance_bound
from edge.errors import InvalidDataError
from edge.messages import Image
from edge.novelty import REFUSED_SHARE, Novelty, Vectors, distances, fit_class_means, fit_max_distance
from edge.preprocess import InputSpec, to_input
from edge.run import VAL_SPLIT, SplitRow

# Of fewer held-out pictures 2 % is less than one: their quantile says nothing of the next picture.
_FEW = ceil(1 / REFUSED_SHARE)
# Of fewer than these not even the spread is known.
_TOO_FEW = 6
_ANY_DISTANCE = 2.0
# The device shows the item's box, where a photograph shows the table too: the middle of it, in shares of its sides.
_VIEWS = (1.0, 0.75, 0.55)

# The mean of a class moves little after so many pictures, and each costs one inference.
_NUM_PER_CLASS = 200

Reader = Callable[[SplitRow], Image]


def fit_novelty(
    classifier: LiteRTClassifier, read: Reader, rows: Sequence[SplitRow], seed: int, progress: Progress = silently
) -> Novelty:
    """Class means of training pictures, and the distance within which nearly all held-out ones lie.

    With few held-out pictures the distance is a bound for those to come, seen as near as the device may see them.

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
    views = _VIEWS if len(held_out) < _FEW else (1.0,)
    seen = [
        _embeddings(classifier, _nearer(read, view, classifier.input_spec), progress(held_out, "held-out items"))
        for view in views
    ]
    return Novelty(means, max_distance(means, seen))


def max_distance(means: Vectors, views: Sequence[Vectors]) -> float:
    """How far known items may lie, by the embeddings (N, D) of the same held-out ones in one or several views."""
    num_held_out = len(views[0])
    if num_held_out >= _FEW:
        return fit_max_distance(means, views[0])
    if num_held_out < _TOO_FEW:
        return _ANY_DISTANCE
    farthest = np.max([distances(means, view) for view in views], axis=0)
    # The root goes with the angle, which is far more nearly normal than its square.
    return min(_ANY_DISTANCE, tolerance_bound(np.sqrt(np.maximum(farthest, 0)), 1 - REFUSED_SHARE) ** 2)


def _nearer(read: Reader, share: float, spec: InputSpec) -> Reader:
    """Gives the middle of each picture, `share` of its sides."""

    def middle(row: SplitRow) -> Image:
        image = read(row)
        height, width = image.shape[:2]
        top, left = (round(side * (1 - share) / 2) for side in (height, width))
        return to_input(image[top : height - top, left : width - left], spec)

    return read if share == 1 else middle


def _embeddings(classifier: LiteRTClassifier, read: Reader, rows: Iterable[SplitRow]) -> Vectors:
    """One embedding a picture, (N, D)."""
    embeddings = [embedding for row in rows if (embedding := classifier.infer(read(row))[1]) is not None]
    if not embeddings:
        raise InvalidDataError("no embedding of any picture: expected a model with one, and a picture in each split")
    return np.stack(embeddings)
