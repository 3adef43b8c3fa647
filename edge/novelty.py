"""Is this anything the network was trained on: how far an embedding points away from every class.

The distance is one minus the cosine between the embedding and the nearest class mean.
`tests/bench/novelty.py` holds it against the scores, their energy (Liu et al. 2020), the Mahalanobis distance
(Lee et al. 2018) and the residual outside a subspace (Wang et al. 2022).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from edge.confidence import tolerance_bound
from edge.errors import BundleError, InvalidDataError

if TYPE_CHECKING:
    from edge.bundle import Bundle

CLASS_MEANS = "class_means.npy"

# Of known items this share may look strange. Frames are averaged before they are judged, which makes it less.
REFUSED_SHARE = 0.02

_FARTHEST = 2.0
# Of fewer known items not even the spread of their distances is known.
_TOO_FEW = 6

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Novelty:
    """What known items look like: `means` (C, D) of unit length, and how far from them one may be, 0..2."""

    means: Vectors
    max_distance: float

    def distance(self, embedding: Vectors) -> float:
        """How far an embedding (D,) points away from the nearest class, 0 (the same way) to 2 (the opposite)."""
        return float(distances(self.means, embedding[None])[0])

    def joined_by(self, means: Vectors) -> Self:
        """The same, with further classes (K, D) known, such as those that were taught."""
        return type(self)(np.concatenate([self.means, _unit(means)]), self.max_distance)


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


def distances(means: Vectors, embeddings: Vectors) -> NDArray[np.float32]:
    """The distance of each embedding (N, D) from the nearest class mean, (N,)."""
    nearest: NDArray[np.float32] = 1 - (_unit(embeddings) @ means.T).max(axis=1)
    return nearest


def encode_class_means(means: Vectors) -> bytes:
    """The file that a bundle carries: a NumPy array (C, D) float32."""
    encoded = io.BytesIO()
    np.save(encoded, means.astype("<f4"), allow_pickle=False)
    return encoded.getvalue()


def load_novelty(bundle: Bundle) -> Novelty | None:
    """What the bundle knows about strangers, None where it says nothing.

    Raises:
        BundleError: the file is no array of one embedding for each label.
    """
    manifest = bundle.manifest
    if manifest.novelty is None:
        return None
    path = bundle.path / manifest.novelty.class_means
    try:
        means = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise BundleError(f"{path} is no NumPy array ({error}): convert the model again") from None
    expected = (len(manifest.labels), manifest.outputs.embedding_size)
    if means.shape != expected or means.dtype != np.float32 or not np.isfinite(means).all():
        raise BundleError(f"{path}: expected finite float32 {expected}, found {means.dtype} {means.shape}")
    return Novelty(_unit(means), manifest.novelty.max_distance)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, np.float32(1e-9))
    return unit
