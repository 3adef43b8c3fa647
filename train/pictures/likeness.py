"""Which pictures show the same object, or look as if they did: clusters of the shipped network's embeddings.

Measured against TrashNet's `groups.csv`: of the pictures that have a twin, 68 % are put with one; of the pairs that
are put together, 60 % belong together. Groups that are a little too large cost nothing in a split; missing ones leak.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.data_folder import GROUPS_FILE, Dataset
from edge.errors import BundleError
from edge.preprocess import InputSpec, load_picture, to_input
from edge.run import SplitRow
from train.pictures.ahead import Reading, read_ahead
from train.recipes import Data

_log = logging.getLogger(__name__)

Unit = NDArray[np.float32]
"""Embeddings (N, D) of length 1, around the data's own mean."""

_LIKE = 0.65  # cosine; at 0.6 a third of TrashNet's glass hangs together, at 0.7 half of the twins are missed
_STEP = 0.05
# The same picture, perhaps saved again: at JPEG quality 95 nine in ten of TrashNet's stay above 0.994, and no two of
# its different pictures come near 0.9. No cluster of these is cut.
_SAME = 0.99
# A cluster beyond this share of its class is a scene that they share, not an object: it is cut finer.
_LARGEST_SHARE = 0.1
_ROWS = 256  # of a square of all pictures against all, looked at together


def with_found_groups(dataset: Dataset, settings: Data, progress: Reading = iter) -> Dataset:
    """The data with a group for every picture that looks like another of its class, where `groups.csv` names none."""
    if any(row.group or row.split for row in dataset.rows) or len(dataset.labels) < 2:
        return dataset
    _log.info("no %s: looking for pictures of the same object", GROUPS_FILE)
    groups = find_groups(embed(dataset, progress), dataset.rows)
    grouped = sum(bool(group) for group in groups)
    _log.info("%d of %d pictures look like another one; split: %s", grouped, len(groups), settings.split)
    rows = tuple(replace(row, group=group) for row, group in zip(dataset.rows, groups, strict=True))
    return replace(dataset, rows=rows)


def embed(dataset: Dataset, progress: Reading = iter) -> Unit:
    """The shipped network's embedding of every picture, (N, D), about 10 ms each on a desktop core."""
    bundle = load_bundle(DEFAULT_BUNDLE)
    classifier = LiteRTClassifier(bundle)
    read = partial(_read, dataset, classifier.input_spec)
    embeddings: list[NDArray[np.float32]] = []
    for _, image in zip(progress(dataset.rows), read_ahead(read, dataset.rows, 1), strict=True):
        embedding = classifier.classify(image).embedding
        if embedding is None:
            raise BundleError(f"{bundle.path} has no embedding output: expected the bundle that ships")
        embeddings.append(embedding)
    return to_unit(np.stack(embeddings))


def to_unit(vectors: NDArray[np.float32]) -> Unit:
    """Rows around their common mean, each of length 1."""
    centered = vectors - vectors.mean(axis=0) if len(vectors) else vectors
    unit: Unit = (centered / np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return unit


def _read(dataset: Dataset, spec: InputSpec, row: SplitRow) -> NDArray[np.uint8]:
    return to_input(load_picture(dataset.path(row)), spec)


def find_groups(embeddings: Unit, rows: Sequence[SplitRow]) -> list[str]:
    """A group's name for each row, empty where a picture is like no other; groups never cross classes."""
    names = [""] * len(rows)
    by_label: defaultdict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        by_label[row.label].append(index)
    for label, indices in by_label.items():
        largest = max(2, round(_LARGEST_SHARE * len(indices)))
        clusters = _clusters(embeddings, np.array(indices), _LIKE, largest)
        for number, cluster in enumerate(clusters, start=1):
            for index in cluster:
                names[index] = f"{label}~{number}"
    return names


def _clusters(embeddings: Unit, indices: NDArray[np.intp], threshold: float, largest: int) -> list[list[int]]:
    """Connected pictures, at least two each; clusters beyond `largest` are cut again at a higher threshold.

    Those that hang together at `_SAME` are copies, and stay together however many they are.
    """
    own = embeddings[indices]
    parts = connected(len(own), lambda rows: own[rows] @ own.T > threshold)
    found: list[list[int]] = []
    for label, count in sorted(Counter(parts.tolist()).items()):
        members = indices[parts == label]
        if count > largest and threshold < _SAME:
            found += _clusters(embeddings, members, min(threshold + _STEP, _SAME), largest)
        elif count > 1:
            found.append(members.tolist())
    return found


def connected(num: int, relation: Callable[[slice], NDArray[np.bool_]]) -> NDArray[np.intp]:
    """For a symmetric relation between `num` things the number of each one's connected part, (num,): its first member.

    `relation` gives some rows (n, num) of it at a time.
    """
    parts = np.arange(num)
    for rows in blocks(num):
        one, other = np.nonzero(relation(rows) & (parts[rows, None] != parts))
        _join(parts, one + rows.start, other)
    return parts


def blocks(num: int) -> Iterator[slice]:
    """The rows of a square of `num`, so few at a time that pictures by the ten thousand take no gigabyte."""
    return (slice(start, start + _ROWS) for start in range(0, num, _ROWS))


def _join(parts: NDArray[np.intp], one: NDArray[np.intp], other: NDArray[np.intp]) -> None:
    """Make one part of those of each pair, in place."""
    while (differ := parts[one] != parts[other]).any():
        one, other = one[differ], other[differ]
        joins = np.arange(len(parts))
        np.minimum.at(joins, np.maximum(parts[one], parts[other]), np.minimum(parts[one], parts[other]))
        while (joins[joins] != joins).any():
            joins = joins[joins]
        parts[:] = joins[parts]
