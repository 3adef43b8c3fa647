"""Labelled pictures through the device's own path: item found, cropped, classified straight and turned."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from calibration.scores.temperature import as_logits
from calibration.scores.thresholds import Labelled
from calibration.teaching.examples import to_jpeg
from edge.classifiers.base import Classifier, softmax
from edge.data_folder import Dataset, LeftOut, labelled_pictures
from edge.errors import DatasetError, InvalidDataError
from edge.items.evidence import MIN_SCORE
from edge.messages import Box, Image
from edge.preprocess import to_input, turned
from edge.run import VAL_SPLIT, SplitRow

# Where the item is in a whole picture; None takes all of it.
Finder = Callable[[Image], Box | None]
Progress = Callable[[Sequence[SplitRow]], Iterable[SplitRow]]
# Pictures that a bin was taught, as JPEG, with the logits (C,) of a head that has not seen what they show; None where
# there can be no such head, since it was shown nothing else of the class.
Taught = Mapping[bytes, NDArray[np.float32] | None]
NONE_TAUGHT: Taught = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A labelled picture; those of one `group` show the same object. `image` is (H, W, 3) uint8 RGB."""

    path: str
    label: str
    group: str
    image: Image


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What the network says of labelled pictures: `logits` (N, C), true classes (N,), objects (N,).

    `labels` (C) name the classes, `paths` (N) the pictures, of which the bin was taught `num_taught`; `left_out` could
    not be read, or not be judged.
    """

    labels: tuple[str, ...]
    logits: NDArray[np.float32]
    truth: NDArray[np.intp]
    objects: NDArray[np.intp]
    paths: tuple[str, ...] = ()
    num_taught: int = 0
    left_out: tuple[LeftOut, ...] = ()

    def encode(self) -> bytes:
        """What is needed to judge again, as a part of the site file: an npz."""
        encoded = io.BytesIO()
        labels = np.array(self.labels, np.str_)
        np.savez(encoded, allow_pickle=False, labels=labels, logits=self.logits, truth=self.truth, objects=self.objects)
        return encoded.getvalue()

    @classmethod
    def decode(cls, encoded: bytes) -> Measured:
        """What `encode` wrote, without the pictures' names.

        Raises:
            InvalidDataError: it is something else.
        """
        try:
            with np.load(io.BytesIO(encoded), allow_pickle=False) as arrays:
                labels = tuple(str(label) for label in arrays["labels"])
                return cls(labels, arrays["logits"], arrays["truth"], arrays["objects"])
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise InvalidDataError(f"what the model said of the labelled pictures cannot be read: {error}") from None

    def at(self, temperature: float) -> Labelled:
        """The pictures as they are scored at a temperature, no class below the least score that smoothing knows."""
        scores = np.maximum(softmax(self.logits, temperature), np.float32(MIN_SCORE))
        return Labelled(scores / scores.sum(axis=1, keepdims=True), self.truth, self.objects)


def measure(
    dataset: Dataset,
    classifier: Classifier,
    temperature: float,
    find: Finder = lambda _: None,
    progress: Progress = iter,
    taught: Taught = NONE_TAUGHT,
) -> Measured:
    """Classify the pictures of a data folder; of one with splits only those that training did not see.

    `temperature` is what `classifier` divides its logits by. The logits are means over the picture as it is and
    turned a quarter, as an item's first frames are in the loop; those of a picture that the bin was `taught` are what a
    head makes of it that has not seen the thing it shows.

    Raises:
        DatasetError: a class that the classifier does not know, no picture in the val part, or none that can be read.
    """
    rows = dataset.of(VAL_SPLIT) if dataset.has_splits else dataset.rows
    if not rows:
        raise DatasetError(
            f"{dataset.root}: expected pictures in the val part of its groups.csv, which training has not seen, found"
            " none: put val for them there, or leave out the column"
        )
    left_out = list(dataset.left_out)
    found = labelled_pictures(dataset, rows, classifier.labels, left_out, progress)
    pictures = (Picture(row.path, row.label, row.group or row.path, image) for row, _, image in found)
    measured = measure_pictures(pictures, classifier, temperature, find, taught)
    if measured is None:
        raise DatasetError(f"{dataset.root}: none of the {len(rows)} pictures can be read")
    return replace(measured, left_out=(*left_out, *measured.left_out))


def measure_pictures(
    pictures: Iterable[Picture],
    classifier: Classifier,
    temperature: float,
    find: Finder = lambda _: None,
    taught: Taught = NONE_TAUGHT,
) -> Measured | None:
    """The same for pictures from anywhere, labelled with classes of the classifier; None where there are none."""
    logits: list[NDArray[np.float32]] = []
    told: list[tuple[str, int, str]] = []
    left_out: list[LeftOut] = []
    num_taught = 0
    for picture in pictures:
        view = to_input(picture.image, classifier.input_spec, find(picture.image))
        jpeg = to_jpeg(view) if taught else b""
        unseen = taught[jpeg] if jpeg in taught else _logits_of(view, classifier, temperature)
        if unseen is None:
            left_out.append(LeftOut(picture.path, f"it was taught, and with it nothing else of {picture.label}"))
            continue
        num_taught += jpeg in taught
        logits.append(unseen)
        told.append((picture.path, classifier.labels.index(picture.label), picture.group))
    if not told:
        return None
    paths, truth, groups = zip(*told, strict=True)
    _, objects = np.unique(groups, return_inverse=True)
    truth_index = np.array(truth, np.intp)
    return Measured(classifier.labels, np.stack(logits), truth_index, objects, paths, num_taught, tuple(left_out))


def _logits_of(picture: Image, classifier: Classifier, temperature: float) -> NDArray[np.float32]:
    views = (picture, turned(picture, 1))
    scores = np.stack([classifier.classify(view).scores for view in views])
    return np.asarray(as_logits(scores, temperature).mean(axis=0), np.float32)
