"""What the network knows, and is this anything it was trained on: how far an embedding points away from every class.

The distance is one minus the cosine between the embedding and the nearest class mean. `tests/bench/novelty.py` holds it
against the scores, their energy (Liu et al. 2020), the Mahalanobis distance (Lee et al. 2018), the residual outside a
subspace (Wang et al. 2022), and the nearest of several prototypes of each class. These refuse more strangers, but also
more known items of places that no training has seen; teaching keeps to them (`edge.classifiers.taught`).
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.confidence import tolerance_bound
from edge.errors import BundleError, InvalidDataError

if TYPE_CHECKING:
    from edge.bundle import Bundle

CLASS_MEANS, PROTOTYPES = "class_means.npy", "prototypes.npy"

# Of known items this share may look strange. Frames are averaged before they are judged, which makes it less.
REFUSED_SHARE = 0.02

# Of each class. Between 4 and 16 taught bins do as well, and keep as much of what they knew.
NUM_PROTOTYPES = 8
_KMEANS_TRIES, _KMEANS_UNTIL = 3, (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-4)

# Of one thing, seen twice, this share may look like two: for the shipped network that is the cosine 0.7, by which 168
# of 168 pushed things were known again, and 118 of 120 others were not taken for them (`tests/bench/successions.py`).
_UNLIKE_SHARE = 0.02

_FARTHEST = 2.0
# Of fewer known items not even the spread of their distances is known.
_TOO_FEW = 6

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Novelty:
    """What known items look like: `means` (C, D) of unit length, and how far from them one may be, 0..2.

    `prototypes` (P, D) of unit length are several of each class; none where a bundle was made before there were any.
    `same_likeness` is the cosine from which two embeddings may be of one thing, None where it was not measured.
    """

    means: Vectors
    max_distance: float
    prototypes: Vectors
    same_likeness: float | None = None

    def distance(self, embedding: Vectors) -> float:
        """How far an embedding (D,) points away from the nearest class, 0 (the same way) to 2 (the opposite)."""
        return float(distances(self.means, embedding[None])[0])

    def joined_by(self, means: Vectors) -> Self:
        """The same, with further classes (K, D) known, such as those that were taught."""
        return replace(self, means=np.concatenate([self.means, _unit(means)]))


def fit_class_means(embeddings: Vectors, label_indices: NDArray[np.integer], num_classes: int) -> Vectors:
    """The mean embedding of each class, (C, D) of unit length, from training embeddings (N, D).

    Raises:
        InvalidDataError: a class has no embedding.
    """
    counts = np.bincount(label_indices, minlength=num_classes)
    if not counts.all():
        raise InvalidDataError(f"no embedding of class {int(counts.argmin())}: expected at least one picture of each")
    means = np.stack([embeddings[label_indices == index].mean(axis=0) for index in range(num_classes)])
    return _unit(means.astype(np.float32))


def fit_prototypes(embeddings: Vectors, label_indices: NDArray[np.integer], num_classes: int) -> Vectors:
    """The centers of the clusters of each class, (P, D) of unit length, from training embeddings (N, D).

    k-means on their directions, the same each time; NUM_PROTOTYPES of a class, or as many as it has embeddings.
    """
    directions, found = _unit(embeddings), []
    for index in range(num_classes):
        own = directions[label_indices == index]
        num = min(NUM_PROTOTYPES, len(own))
        cv2.setRNGSeed(0)
        _, _, centers = cv2.kmeans(own, num, None, _KMEANS_UNTIL, _KMEANS_TRIES, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
        found.append(centers)
    return _unit(np.concatenate(found))


def fit_max_distance(known: Vectors, refused_share: float = REFUSED_SHARE) -> float:
    """The distance that `refused_share` of known items go beyond, by those (N,) of held-out ones.

    Of few it is a bound for those to come, 95 % sure; of hardly any no distance is too far.
    """
    if len(known) * refused_share >= 1:
        return float(np.quantile(known, 1 - refused_share))
    if len(known) < _TOO_FEW:
        return _FARTHEST
    # The root goes with the angle, which is far more nearly normal than its square.
    return min(_FARTHEST, tolerance_bound(np.sqrt(np.maximum(known, 0)), 1 - refused_share) ** 2)


def fit_same_likeness(embeddings: Vectors, again: Vectors) -> float | None:
    """The cosine from which two embeddings may be of one thing, by those (N, D) of held-out things seen twice.

    None of too few.
    """
    likeness = (_unit(embeddings) * _unit(again)).sum(axis=1)
    return float(np.quantile(likeness, _UNLIKE_SHARE)) if len(likeness) >= _TOO_FEW else None


def distances(means: Vectors, embeddings: Vectors) -> NDArray[np.float32]:
    """The distance of each embedding (N, D) from the nearest class mean, (N,)."""
    nearest: NDArray[np.float32] = 1 - (_unit(embeddings) @ means.T).max(axis=1)
    return nearest


def encode_vectors(vectors: Vectors) -> bytes:
    """The file that a bundle carries: a NumPy array (N, D) float32."""
    encoded = io.BytesIO()
    np.save(encoded, vectors.astype("<f4"), allow_pickle=False)
    return encoded.getvalue()


def load_novelty(bundle: Bundle) -> Novelty | None:
    """What the bundle knows about strangers, None where it says nothing.

    Raises:
        BundleError: a file is no array of embeddings, or not of one for each label.
    """
    manifest, known = bundle.manifest, bundle.manifest.novelty
    if known is None:
        return None
    size = manifest.outputs.embedding_size
    means = _load_vectors(bundle.path / known.class_means, len(manifest.labels), size)
    prototypes = means[:0] if known.prototypes is None else _load_vectors(bundle.path / known.prototypes, None, size)
    return Novelty(means, known.max_distance, prototypes, known.same_likeness)


def _load_vectors(path: Path, num: int | None, size: int | None) -> Vectors:
    """Embeddings (num, size) of unit length; at least one where `num` is None."""
    try:
        # Mapped first: a header that promises more than the file holds must not take the memory for it.
        vectors = np.array(np.lib.format.open_memmap(path, mode="r"))
    except (ValueError, TypeError, OSError, EOFError, OverflowError, SyntaxError, TokenError) as error:
        raise BundleError(f"{path} is no NumPy array ({error}): convert the model again") from None
    expected = (num or max(1, len(np.atleast_1d(vectors))), size)
    if vectors.shape != expected or vectors.dtype != np.float32 or not np.isfinite(vectors).all():
        raise BundleError(f"{path}: expected finite float32 {expected}, found {vectors.dtype} {vectors.shape}")
    return _unit(vectors)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, np.float32(1e-9))
    return unit
