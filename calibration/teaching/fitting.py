"""Fitting a site's head to taught examples, and what each would be called had nothing like it been shown.

All of it works on the matrix of cosines between the taught views, so that leaving an example out costs a small
solve and no second pass over the embeddings.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.teaching.examples import Example
from edge.classifiers.light import PLAIN_LIGHT, Light
from edge.classifiers.taught import Blend, Known, SiteHead, features_of, opinion, widened
from edge.deciding.novelty import Novelty
from edge.items.evidence import MIN_SCORE

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]

# Strength of the ridge, against features whose mean square is 1. From 0.03 to 0.3 nothing changes.
RIDGE = 0.1
# Cosines of features: of one thing moved a little, or under other light, 0.94 to 0.98; of a product's other pictures
# 3 in 100 are above this, and of any two things of other classes none is above 0.84. That is so of networks that began
# from ImageNet's weights; see `same_thing` for others.
SAME_THING = 0.92
# Up to so many things each is left out by itself; more of them in so many lots.
MAX_ONE_BY_ONE, NUM_LOTS = 120, 12

# How far the network is trusted, and the head's temperature, before there are examples enough to tell.
TRUST, TEMPERATURE = 0.5, 0.2
# From so many things on, with two of each class, they are fitted to what was held out.
MIN_WEIGHED = 8
_TRUSTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_TEMPERATURES = (0.1, 0.14, 0.2, 0.28, 0.4, 0.56)
_LEANS = (0.0, 0.5, 1.0)  # how much of the lean to take back


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """All views of all examples, of which there are N.

    `example_index`, `thing_index` and `class_index` (N,), `features` and `embeddings` (N, D), the network's `scores`
    (N, S), and the `cosines` (N, N) between the views' features.
    """

    example_index: Indices
    thing_index: Indices
    class_index: Indices
    num_classes: int
    features: Floats
    embeddings: Floats
    scores: Floats
    cosines: Doubles

    @classmethod
    def of(cls, examples: Sequence[Example], things: Indices, labels: Sequence[str]) -> Views:
        """The views of M `examples`, which show `things` (M,) and have labels among `labels`."""
        num_views = [len(example.embeddings) for example in examples]
        embeddings = np.concatenate([example.embeddings for example in examples])
        features = features_of(embeddings)
        return cls(
            np.repeat(np.arange(len(examples)), num_views),
            np.repeat(things, num_views),
            np.repeat([labels.index(example.label) for example in examples], num_views),
            len(labels),
            features,
            embeddings,
            np.concatenate([example.scores for example in examples]),
            (features @ features.T).astype(np.float64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Ridge:
    """A ridge regression from centered features to classes, by its coefficients on the taught views (n, C)."""

    shares: Doubles
    row_means: Doubles
    mean: float
    scale: float
    coefficients: Doubles
    bias: Doubles

    @classmethod
    def fit(cls, cosines: Doubles, class_index: Indices, num_classes: int) -> _Ridge:
        """Each class weighs the same, however many views (n,) of it there are; `cosines` is (n, n)."""
        counts = np.bincount(class_index, minlength=num_classes)
        shares = 1.0 / counts[class_index] / np.count_nonzero(counts)
        row_means = cosines @ shares
        mean = float(shares @ row_means)
        centered = cosines - row_means  # in place from here on: of thousands of views each copy takes 100 MB
        centered -= row_means[:, None]
        centered += mean
        scale = max(float(shares @ np.diag(centered)), 1e-9)
        wanted = np.eye(num_classes)[class_index]
        bias: Doubles = shares @ wanted
        centered /= scale
        centered[np.diag_indices_from(centered)] += RIDGE / (shares * len(shares))
        coefficients = np.linalg.solve(centered, wanted - bias).astype(np.float64)
        return cls(shares, row_means, mean, scale, coefficients, bias)

    def says(self, cosines: Doubles) -> Floats:
        """What it says (m, C) of views with these cosines to the taught ones (m, n)."""
        centered = cosines - (cosines @ self.shares)[:, None] - self.row_means + self.mean
        said: Floats = (centered / self.scale @ self.coefficients + self.bias).astype(np.float32)
        return said

    def on_features(self, features: Floats) -> tuple[Floats, Floats]:
        """The same as weights (D, C) and bias (C,) on the features (n, D) themselves."""
        centered = features - self.shares @ features
        weights = centered.T @ self.coefficients / self.scale
        return weights.astype(np.float32), (self.bias - self.shares @ features @ weights).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Every view by a head that has not seen its thing: what that says (N, C), and the nearest cosine (N,).

    The cosine is -1 where no other thing is left.
    """

    says: Floats
    nearest: Floats


def same_thing(novelty: Novelty | None) -> float:
    """The cosine of features above which two examples of a class show one thing.

    To a network that was trained from nothing all things look alike: for it, what is no more alike than the likest two
    of its classes says nothing.
    """
    if novelty is None or not len(novelty.prototypes):
        return SAME_THING
    features, own = features_of(novelty.prototypes), (novelty.prototypes @ novelty.means.T).argmax(axis=1)
    return max(SAME_THING, float((features @ features.T).max(where=own[:, None] != own, initial=0.0)))


def things_of(examples: Sequence[Example], alike: float = SAME_THING) -> Indices:
    """Which thing each of M examples shows, (M,), by numbers from 0 on: a burst of pictures of one is a single thing.

    Two show the same one where any of their views are more than `alike`. What was taught under two names counts as two.
    """
    num_views = [len(example.embeddings) for example in examples]
    features = features_of(np.concatenate([example.embeddings for example in examples]))
    first = np.cumsum([0, *num_views[:-1]])
    likest = np.maximum.reduceat(np.maximum.reduceat(features @ features.T, first, axis=0), first, axis=1)
    labels = np.array([example.label for example in examples])
    is_same = (likest > alike) & (labels[:, None] == labels) | np.eye(len(examples), dtype=np.bool_)
    number, before = np.arange(len(examples)), None
    while before is None or (number != before).any():  # each takes the least number that hangs together with its own
        before, number = number, np.where(is_same, number, len(examples)).min(axis=1)
    _, things = np.unique(number, return_inverse=True)
    return np.asarray(things, np.int64)


def hold_out(views: Views) -> HeldOut:
    """Fit without each thing in turn, or without each lot of them, and ask about what was left out."""
    num_things = int(views.thing_index.max()) + 1
    says = np.zeros((len(views.scores), views.num_classes), np.float32)
    nearest = np.full(len(says), -1.0, np.float32)
    lot_of = views.thing_index % (num_things if num_things <= MAX_ONE_BY_ONE else NUM_LOTS)
    for lot in range(lot_of.max() + 1):
        asked, kept = np.flatnonzero(lot_of == lot), np.flatnonzero(lot_of != lot)
        if not len(kept):
            continue
        ridge = _Ridge.fit(views.cosines[np.ix_(kept, kept)], views.class_index[kept], views.num_classes)
        cosines = views.cosines[np.ix_(asked, kept)]
        says[asked], nearest[asked] = ridge.says(cosines), cosines.max(axis=1)
    return HeldOut(says, nearest)


def fit_head(
    examples: Sequence[Example], things: Indices, labels: Sequence[str], known: Known, light: Light = PLAIN_LIGHT
) -> tuple[SiteHead, Floats]:
    """The head that M examples make, and the joined scores (M, C) of each by one that has not seen the thing it shows.

    `things` (M,) is what `things_of` gives. `labels` are all classes, the network's first; at least one example.
    `light` is what was undone in the examples' pictures.
    """
    views = Views.of(examples, things, labels)
    unseen = hold_out(views)
    blend = _weigh(views, unseen.says)
    weights, bias = _Ridge.fit(views.cosines, views.class_index, len(labels)).on_features(views.features)
    head = SiteHead(
        features=views.features,
        known=known,
        weights=weights,
        bias=bias,
        means=_class_means(views),
        blend=blend,
        light=light,
    )
    return head, _by_example(blend.join(views.scores, unseen.says, known.leaves(unseen.nearest, views.features)), views)


def network_scores(examples: Sequence[Example], num_classes: int) -> Floats:
    """The network's own scores (M, C) of each example, all views taken together."""
    return np.stack([_mean_score(widened(example.scores, num_classes)) for example in examples])


def _class_means(views: Views) -> Floats:
    taught = np.unique(views.class_index)
    return np.stack([views.embeddings[views.class_index == index].mean(axis=0) for index in taught])


def _weigh(views: Views, says: Floats) -> Blend:
    """How to blend what the network says with what the head does: what makes the held-out views likeliest.

    Each class counts the same.
    """
    counts = np.bincount(views.class_index)
    _, of_class = np.unique(_class_of_things(views), return_counts=True)
    lean = _lean(views)
    if of_class.min() < 2 or of_class.sum() < MIN_WEIGHED:
        return Blend(TRUST, TEMPERATURE, np.zeros_like(lean))
    everywhere = np.ones(len(says), np.float32)

    def loss(blend: Blend) -> float:
        joined = blend.join(views.scores, says, everywhere)
        losses = -np.log(np.maximum(joined[np.arange(len(joined)), views.class_index], 1e-6))
        return float((losses / counts[views.class_index]).sum())

    choices = itertools.product(_TRUSTS, _TEMPERATURES, _LEANS)
    return min((Blend(trust, temperature, much * lean) for trust, temperature, much in choices), key=loss)


def _class_of_things(views: Views) -> Indices:
    _, first = np.unique(views.thing_index, return_index=True)
    return views.class_index[first]


def _lean(views: Views) -> Floats:
    """How much more than other taught classes the network says each here, over as many of every one; log units (C,).

    A network that calls half of all things in this place plastic need not be believed when it says plastic.
    """
    counts = np.bincount(views.class_index, minlength=views.num_classes)
    mean = (opinion(views.scores, views.num_classes) / counts[views.class_index, None]).sum(axis=0)
    taught = counts > 0
    lean = np.where(taught, mean / taught.sum(), 0)
    lean[taught] -= lean[taught].mean()
    return lean.astype(np.float32)


def _by_example(scores: Floats, views: Views) -> Floats:
    return np.stack([_mean_score(scores[views.example_index == n]) for n in range(int(views.example_index[-1]) + 1)])


def _mean_score(scores: Floats) -> Floats:
    """Views (V, C) taken together as frames are: the normalized geometric mean, (C,)."""
    mean = np.exp(np.log(np.maximum(scores, np.float32(MIN_SCORE))).mean(axis=0))
    together: Floats = (mean / mean.sum()).astype(np.float32)
    return together
