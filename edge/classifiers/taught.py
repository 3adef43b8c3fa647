"""What one bin was taught, on top of the shipped network: new answers near the taught examples, the old ones elsewhere.

The network stays as it is. Only where a picture's embedding is about as like a taught example as it is like anything
that the network was trained on does the site's own head speak: a ridge regression on the embedding, joined with what
the network says. Ridge was better than the nearest class mean and than logistic regression with 5 to 20 examples of
each class, and the square root of the embedding better than the embedding (`tests/bench/teaching.py`; the root after
Arandjelović and Zisserman 2012, "Three things everyone should know to improve object retrieval", section 3). Where the
examples say that it helps, the light of the place is undone before the network looks (`edge.classifiers.light`).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.classifiers.base import Classifier, softmax
from edge.classifiers.light import PLAIN_LIGHT, Light
from edge.errors import InvalidDataError
from edge.messages import Image, InputSpec, Prediction

Floats = NDArray[np.float32]

# The network's smallest word on a class that it knows, and what it is taken to say of one that it never had: it
# cannot speak against it.
FLOOR, NEVER_HAD = np.float32(1e-3), np.float32(0.1)

# What leads by this cosine, more like a taught example than like anything known, is the head's; what is less so by
# FADES_OVER is the network's. The nearest prototype of a class is nearer than its mean, so that less is asked there.
# By prototypes more retail products are right than by means, and TrashNet's val falls less (`tests/bench/teaching.py`).
LEADS_MEANS_BY, LEADS_PROTOTYPES_BY = 0.03, -0.03
FADES_OVER = 0.08
# What is like nothing known must still be this much like a taught example, as a cosine; and more where the bundle
# does not say what its classes look like.
_LEAST_LIKE, _LEAST_LIKE_BLINDLY = 0.5, 0.7

_SMALLEST = np.float32(1e-9)


def features_of(embeddings: Floats) -> Floats:
    """Embeddings (N, D) as teaching compares them: signed square roots, of unit length."""
    roots = np.sign(embeddings) * np.sqrt(np.abs(embeddings))
    lengths = np.linalg.norm(roots, axis=-1, keepdims=True)
    features: Floats = (roots / np.maximum(lengths, np.float32(1e-9))).astype(np.float32)
    return features


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """How the network's scores and what a head says become one.

    Attributes:
        trust: the power to which the network's scores are raised before the two are multiplied.
        temperature: what the head's own scores are divided by.
        lean: (C,) how much more than other classes the network says each in this place; log units.
    """

    trust: float
    temperature: float
    lean: Floats

    def join(self, scores: Floats, says: Floats, share: Floats) -> Floats:
        """The network's scores (n, S) with those of the head (n, C), of which the latter has a `share` (n,)."""
        logits = np.float32(self.trust) * (opinion(scores, says.shape[1]) - self.lean)
        logits += says / np.float32(self.temperature)
        own = share[:, None]
        joined: Floats = (1 - own) * widened(scores, says.shape[1]) + own * softmax(logits, 1.0)
        return joined.astype(np.float32)


def opinion(scores: Floats, num_classes: int) -> Floats:
    """The logarithms (n, C) of what the network scores (n, S), tamed, with nothing against what it never had."""
    logs = np.log(np.maximum(widened(scores, num_classes), FLOOR))
    logs[:, scores.shape[1] :] = np.log(NEVER_HAD)
    return logs


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What the network knows without being taught: `features` (K, D), of which there may be none.

    `leads_by` is how much more like a taught example a picture must be for the head to have all the say.
    """

    features: Floats
    leads_by: float

    def leaves(self, nearest: Floats, features: Floats) -> Floats:
        """How much the head has to say, 0..1 (n,), of features (n, D) whose nearest taught ones have these cosines."""
        if len(self.features):
            own: Floats = np.maximum((features @ self.features.T).max(axis=1), np.float32(_LEAST_LIKE))
        else:
            own = np.full(len(features), _LEAST_LIKE_BLINDLY, np.float32)
        share: Floats = np.clip(1 + (nearest - own - np.float32(self.leads_by)) / np.float32(FADES_OVER), 0, 1)
        return share


@dataclass(frozen=True, slots=True, eq=False)
class SiteHead:
    """A fitted head for D numbers of embedding, N taught views and C classes, of which the network knows the first S.

    Attributes:
        features: (N, D) of the taught views.
        known: what the network knows by itself, and keeps.
        weights: (D, C), zero for classes that were not taught.
        bias: (C,).
        means: (M, D) mean embedding of each taught class, of any length.
        blend: how the network's scores and the head's become one.
        light: what is undone in pictures of this place before the network sees them.
    """

    features: Floats
    known: Known
    weights: Floats
    bias: Floats
    means: Floats
    blend: Blend
    light: Light = PLAIN_LIGHT

    def join(self, scores: Floats, embeddings: Floats) -> Floats:
        """The scores (n, C) of pictures with the network's scores (n, S) and embeddings (n, D)."""
        features = features_of(embeddings)
        share = self.known.leaves((features @ self.features.T).max(axis=1), features)
        return self.blend.join(scores, features @ self.weights + self.bias, share)


def widened(scores: Floats, num_classes: int) -> Floats:
    """The network's scores (..., S) with zeros for the classes that it never had, (..., num_classes)."""
    missing = num_classes - scores.shape[-1]
    return np.concatenate([scores, np.zeros((*scores.shape[:-1], missing), np.float32)], axis=-1)


class TaughtClassifier:
    """A network with a site's head; `labels` are the network's, then the new ones.

    `sharpening` is the power to which the joined scores are raised: the network's own temperature over the one that
    calibration found. `network` is at its own temperature, as it was when it was taught.
    """

    def __init__(self, network: Classifier, head: SiteHead, labels: Sequence[str], sharpening: float = 1.0) -> None:
        self._network = network
        self._head = head
        self._labels = tuple(labels)
        self._sharpening = np.float32(sharpening)

    @property
    def labels(self) -> tuple[str, ...]:
        return self._labels

    @property
    def input_spec(self) -> InputSpec:
        return self._network.input_spec

    def classify(self, image: Image) -> Prediction:
        lit = self._head.light.undo(image)
        said = self._network.classify(image if lit is None else lit)
        if said.embedding is None:
            raise RuntimeError("a taught head needs a network that gives embeddings")
        if lit is None:  # of another place, of which the head knows nothing
            joined = widened(said.scores, len(self._labels))
        else:
            joined = self._head.join(said.scores[None], said.embedding[None])[0]
        scores = softmax(self._sharpening * np.log(np.maximum(joined, _SMALLEST)), 1.0)
        return replace(said, scores=scores)


_ARRAYS = ("weights", "bias", "means")
_LIGHT = ("gains", "grounds")


def encode_head(head: SiteHead) -> bytes:
    """The head as a part of the site file: an npz, all features in half precision."""
    arrays = {name: np.asarray(getattr(head, name), np.float32) for name in _ARRAYS}
    arrays |= {name: np.asarray(getattr(head.blend, name), np.float32) for name in ("trust", "temperature", "lean")}
    arrays |= {name: getattr(head.light, name) for name in _LIGHT}
    arrays["leads_by"] = np.asarray(head.known.leads_by, np.float32)
    halves = {"features": head.features.astype(np.float16), "known": head.known.features.astype(np.float16)}
    encoded = io.BytesIO()
    np.savez(encoded, allow_pickle=False, **arrays, **halves)
    return encoded.getvalue()


def decode_head(encoded: bytes, num_classes: int, embedding_size: int) -> SiteHead:
    """The head that `encode_head` wrote, for `num_classes` classes in all.

    Raises:
        InvalidDataError: it is something else, or was made for another network.
    """
    try:
        with np.load(io.BytesIO(encoded), allow_pickle=False) as arrays:
            # Heads of sites that were taught before light was undone have none, and older ones know class means alone.
            found = {"gains": PLAIN_LIGHT.gains, "grounds": PLAIN_LIGHT.grounds}
            found["leads_by"] = np.asarray(LEADS_MEANS_BY, np.float32)
            found |= {name: arrays[name].astype(np.float32) for name in arrays.files}
            head = SiteHead(
                features=found["features"],
                known=Known(found["known"], float(found["leads_by"])),
                blend=Blend(float(found["trust"]), float(found["temperature"]), found["lean"]),
                light=Light(**{name: found[name] for name in _LIGHT}),
                **{name: found[name] for name in _ARRAYS},
            )
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidDataError(f"the taught head cannot be read ({error}): teach again") from None
    shapes = {
        "features": (len(head.features), embedding_size),
        "known": (len(head.known.features), embedding_size),
        "leads_by": (),
        "weights": (embedding_size, num_classes),
        "bias": (num_classes,),
        "means": (len(head.means), embedding_size),
        "lean": (num_classes,),
        "trust": (),
        "temperature": (),
        "gains": (3,),
        "grounds": (len(head.light.grounds), 3),
    }
    for name, wanted in shapes.items():
        if found[name].shape != wanted or not np.isfinite(found[name]).all():
            raise InvalidDataError(
                f"the taught head does not fit: expected finite {name} {wanted}, found {found[name].shape}: teach again"
            )
    if not len(head.features) or head.blend.temperature <= 0:
        raise InvalidDataError("the taught head has no example: teach again")
    return head
