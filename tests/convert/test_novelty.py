"""How far a known item may lie from what was trained, by many held-out pictures and by few."""

from __future__ import annotations

import numpy as np

from convert.novelty import max_distance
from edge.novelty import Vectors, distances, fit_max_distance

SIZE = 32


def embeddings(num: int, noise: float, *, seed: int) -> Vectors:
    """Around the first axis, which is the mean of the one class."""
    chance = np.random.default_rng(seed)
    return (np.eye(SIZE)[0] + noise * chance.normal(size=(num, SIZE))).astype(np.float32)


MEANS = np.eye(SIZE, dtype=np.float32)[:1]


def test_of_many_the_quantile_counts() -> None:
    known = embeddings(60, 0.1, seed=1)
    assert max_distance(MEANS, [known]) == fit_max_distance(MEANS, known)


def test_of_few_the_bound_nearly_always_holds_for_those_to_come() -> None:
    to_come = distances(MEANS, embeddings(10_000, 0.1, seed=0))
    limits = np.array([max_distance(MEANS, [embeddings(12, 0.1, seed=seed)]) for seed in range(1, 201)])
    refused = (to_come[:, None] > limits).mean(axis=0)
    # 95 of 100 by its making; the distances are only about normally distributed.
    assert (refused <= 0.02).mean() >= 0.9
    plain = [fit_max_distance(MEANS, embeddings(12, 0.1, seed=seed)) for seed in range(1, 201)]
    assert ((to_come[:, None] > np.array(plain)).mean(axis=0) <= 0.02).mean() < 0.5


def test_of_few_strangers_are_still_refused() -> None:
    strangers = distances(MEANS, np.random.default_rng(0).normal(size=(1000, SIZE)).astype(np.float32))
    assert (strangers < max_distance(MEANS, [embeddings(12, 0.1, seed=1)])).mean() < 0.02


def test_of_few_a_nearer_view_that_looks_stranger_widens_the_bound() -> None:
    whole, nearer = embeddings(12, 0.05, seed=1), embeddings(12, 0.15, seed=2)
    assert max_distance(MEANS, [whole, nearer]) > 2 * max_distance(MEANS, [whole])


def test_of_hardly_any_nothing_is_refused() -> None:
    assert max_distance(MEANS, [embeddings(5, 0.1, seed=1)]) == 2.0
