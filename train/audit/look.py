"""Look at every picture once: its file, its decoded picture, its embedding."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.data_folder import Dataset, LeftOut
from edge.errors import BundleError, MissingInputError, PictureError
from edge.files.picture_headers import FileFacts, examine
from edge.preprocess import Image, InputSpec, load_picture, to_input
from edge.run import SplitRow
from train.measuring.background import corner_colors
from train.pictures.ahead import read_ahead
from train.pictures.likeness import to_unit

Progress = Callable[[Sequence[SplitRow]], Iterable[SplitRow]]

_LAYOUT = (16, 12)  # pixels: what remains of a picture when it is seen from afar
_READ_THREADS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """N readable pictures: files, digests, corner colors (N, 12), color layouts and embeddings of length 1 (N, D)."""

    rows: tuple[SplitRow, ...]
    facts: tuple[FileFacts, ...]
    digests: tuple[str, ...]
    corners: NDArray[np.float32]
    layouts: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _One:
    row: SplitRow
    facts: FileFacts
    digest: str = ""
    corners: NDArray[np.float32] | None = None
    layout: NDArray[np.float32] | None = None
    image: Image | None = None


def look(dataset: Dataset, progress: Progress = iter) -> Seen:
    """Read, decode and embed every picture, about 15 ms each on a desktop core; unreadable ones are listed."""
    classifier = LiteRTClassifier(load_bundle(DEFAULT_BUNDLE))
    kept: list[_One] = []
    embeddings: list[NDArray[np.float32]] = []
    left_out = list(dataset.left_out)
    ones = read_ahead(lambda row: _open(dataset, row, classifier.input_spec), dataset.rows, _READ_THREADS)
    for row, one in zip(progress(dataset.rows), ones, strict=True):
        if one.image is None:
            left_out.append(LeftOut(row.path, one.facts.defect or "it cannot be decoded"))
            continue
        embedding = classifier.classify(one.image).embedding
        if embedding is None:
            raise BundleError("the shipped bundle has no embedding output: reinstall edge-sorter")
        kept.append(_One(row, one.facts, one.digest, one.corners, one.layout))
        embeddings.append(embedding)
    return Seen(
        tuple(one.row for one in kept),
        tuple(one.facts for one in kept),
        tuple(one.digest for one in kept),
        _stack([one.corners for one in kept]),
        to_unit(_stack([one.layout for one in kept])),
        to_unit(_stack(list(embeddings))),
        tuple(left_out),
    )


def _stack(parts: Sequence[NDArray[np.float32] | None]) -> NDArray[np.float32]:
    found = [part for part in parts if part is not None]
    return np.stack(found) if found else np.zeros((0, 1), np.float32)


def _open(dataset: Dataset, row: SplitRow, spec: InputSpec) -> _One:
    path = dataset.path(row)
    try:
        facts = examine(path)
        if facts.defect is not None:
            return _One(row, facts)
        image = load_picture(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (PictureError, MissingInputError) as error:
        return _One(row, FileFacts(defect=str(error)))
    except OSError as error:
        return _One(row, FileFacts(defect=f"cannot be read: {error.strerror}"))
    small = cv2.resize(image, _LAYOUT, interpolation=cv2.INTER_AREA).astype(np.float32).reshape(-1)
    return _One(row, facts, digest, corner_colors(image), small, to_input(image, spec))
