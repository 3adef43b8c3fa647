"""What known items look like to the converted model, so that the device can tell strangers from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import cv2
import numpy as np

from convert.proof.held_out import Progress, silently
from convert.representative import choose_representative
from edge.classifiers.litert import LiteRTClassifier
from edge.deciding.novelty import (
    Novelty,
    Vectors,
    distances,
    fit_class_means,
    fit_max_distance,
    fit_prototypes,
    fit_same_likeness,
)
from edge.errors import InvalidDataError
from edge.messages import Box, Image
from edge.preprocess import InputSpec, to_input, turned
from edge.run import VAL_SPLIT, SplitRow
from edge.simulation.outline import find_outline

# The mean of a class moves little after so many pictures, and each costs one inference.
_NUM_PER_CLASS = 200
# The ground of a bin is even, and often of this gray; that of photographs is often white.
_GROUND = 110.0
_SOFT_EDGE_PX = 1.2

Reader = Callable[[SplitRow], Image]


def fit_novelty(
    classifier: LiteRTClassifier, read: Reader, rows: Sequence[SplitRow], seed: int, progress: Progress = silently
) -> Novelty:
    """Class means and prototypes of training pictures, and by held-out ones how near to them known items lie.

    Each held-out one counts by the strangest of its `views`, since a device shows the network an item nearer and
    on another ground than photographs do. How alike one thing looks to itself is measured on the same pictures, seen
    straight and turned a quarter. `classifier` is the very model that will run, `read` gives a picture
    as it was taken, `rows` are the run's pictures.

    Raises:
        InvalidDataError: a class has no training picture, nothing is held out, or the model has no embedding.
        MissingInputError, PictureError: a picture is not there or cannot be decoded.
    """
    labels, spec = classifier.labels, classifier.input_spec
    training = choose_representative(rows, labels, _NUM_PER_CLASS * len(labels), seed)
    held_out = [row for row in rows if row.split == VAL_SPLIT]
    label_indices = np.array([labels.index(row.label) for row in training], np.int64)
    known = _embeddings(classifier, (to_input(read(row), spec) for row in progress(training, "known items")))
    means = fit_class_means(known, label_indices, len(labels))
    if not held_out:
        raise InvalidDataError("nothing is held out: expected pictures that the network was not trained on")
    seen = [
        _embeddings(classifier, (turned(whole, 1), whole, *near))
        for row in progress(held_out, "held-out items")
        for whole, *near in [views(read(row), spec)]
    ]
    strangest = [distances(means, embeddings[1:]).max() for embeddings in seen]
    return Novelty(
        means,
        fit_max_distance(np.array(strangest, np.float32)),
        fit_prototypes(known, label_indices, len(labels)),
        fit_same_likeness(*np.swapaxes([embeddings[:2] for embeddings in seen], 0, 1)),
    )


def views(image: Image, spec: InputSpec) -> Iterator[Image]:
    """A photograph as inputs: whole, and its item as a device crops it, on its own ground and on that of a bin."""
    yield to_input(image, spec)
    outline = find_outline(image)
    if outline is None:
        return
    height, width = image.shape[:2]
    mask = cv2.resize(outline.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    left, top, box_width, box_height = cv2.boundingRect((mask > 0.5).astype(np.uint8))
    box = Box(left, top, box_width, box_height)
    yield to_input(image, spec, box)
    alpha = cv2.GaussianBlur(mask, (0, 0), _SOFT_EDGE_PX)[..., np.newaxis]
    yield to_input((image * alpha + _GROUND * (1 - alpha)).astype(np.uint8), spec, box)


def _embeddings(classifier: LiteRTClassifier, inputs: Iterable[Image]) -> Vectors:
    """One embedding an input, (N, D)."""
    embeddings = [embedding for image in inputs if (embedding := classifier.infer(image)[1]) is not None]
    if not embeddings:
        raise InvalidDataError("no embedding of any picture: expected a model with one, and a picture in each split")
    return np.stack(embeddings)
