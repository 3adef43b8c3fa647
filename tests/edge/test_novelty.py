"""What looks like nothing that was trained is far from every class mean."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import MANIFEST, MODEL, Bundle, load_bundle
from edge.errors import BundleError, InvalidDataError
from edge.novelty import (
    CLASS_MEANS,
    REFUSED_SHARE,
    Novelty,
    Vectors,
    distances,
    encode_class_means,
    fit_class_means,
    fit_max_distance,
    load_novelty,
)

NUM_CLASSES, SIZE = 3, 64


def embeddings(num: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clusters around one direction a class, like pooled features: none negative."""
    chance = np.random.default_rng(seed)
    centers = np.abs(np.random.default_rng(0).normal(size=(NUM_CLASSES, SIZE)))
    label_indices = np.arange(num) % NUM_CLASSES
    noise = np.abs(chance.normal(scale=0.3, size=(num, SIZE)))
    return (centers[label_indices] + noise).astype(np.float32), label_indices


def bundle_with(folder: Path, means: bytes) -> Bundle:
    files = {MODEL: b"a model", CLASS_MEANS: means}
    manifest = {
        "schema": 1,
        "name": "drawn",
        "labels": ["a", "b", "c"],
        "precision": "int8",
        "input": {"height_px": 32, "width_px": 32},
        "outputs": {"logits": 0, "embedding": 1, "embedding_size": SIZE},
        "temperature": 1.0,
        "novelty": {"class_means": CLASS_MEANS, "max_distance": 0.25},
        "files": {name: sha256(content).hexdigest() for name, content in files.items()},
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return load_bundle(folder)


def test_strangers_are_farther_than_nearly_all_that_is_known() -> None:
    means = fit_class_means(*embeddings(300, 1), NUM_CLASSES)
    known, _ = embeddings(300, 2)
    limit = fit_max_distance(distances(means, known), refused_share=0.02)
    assert np.mean(distances(means, known) > limit) == pytest.approx(0.02, abs=0.01)  # one of 300 is 0.003
    strangers = np.abs(np.random.default_rng(3).normal(size=(100, SIZE))).astype(np.float32)
    assert np.mean(distances(means, strangers) > limit) > 0.9


def spread(num: int, seed: int) -> Vectors:
    """Distances of embeddings of 32 numbers around the mean of their class."""
    noise = np.random.default_rng(seed).normal(size=(num, 32))
    mean = np.eye(32, dtype=np.float32)[:1]
    return distances(mean, (mean + 0.1 * noise).astype(np.float32))


def test_of_few_known_items_the_bound_nearly_always_holds_for_those_to_come() -> None:
    to_come, seen = spread(10_000, 0), [spread(12, seed) for seed in range(1, 201)]
    limits = np.array([fit_max_distance(few) for few in seen])
    # 95 of 100 by its making; the angles are only about normally distributed.
    assert ((to_come[:, None] > limits).mean(axis=0) <= REFUSED_SHARE).mean() >= 0.9
    farthest = np.array([few.max() for few in seen])
    assert ((to_come[:, None] > farthest).mean(axis=0) <= REFUSED_SHARE).mean() < 0.5


def test_of_hardly_any_known_items_nothing_is_refused() -> None:
    assert fit_max_distance(spread(5, 1)) == 2.0
    assert fit_max_distance(spread(6, 1)) < 2.0


def test_the_distance_does_not_depend_on_the_length_of_an_embedding() -> None:
    known, label_indices = embeddings(30, 1)
    novelty = Novelty(fit_class_means(known, label_indices, NUM_CLASSES), 0.5)
    assert novelty.distance(known[0]) == pytest.approx(novelty.distance(known[0] * 7), abs=1e-6)
    assert novelty.distance(np.zeros(SIZE, np.float32)) == 1


def test_a_class_that_joins_is_no_stranger_any_more() -> None:
    novelty = Novelty(fit_class_means(*embeddings(30, 1), NUM_CLASSES), 0.1)
    stranger = np.abs(np.random.default_rng(3).normal(size=SIZE)).astype(np.float32)
    assert novelty.distance(stranger) > novelty.max_distance
    assert novelty.joined_by(stranger[None]).distance(stranger) == pytest.approx(0, abs=1e-6)


def test_each_class_needs_an_embedding() -> None:
    with pytest.raises(InvalidDataError, match="no embedding of class 2"):
        fit_class_means(np.ones((2, SIZE), np.float32), np.array([0, 1]), NUM_CLASSES)


def test_a_bundle_carries_what_known_items_look_like(tmp_path: Path) -> None:
    means = fit_class_means(*embeddings(30, 1), NUM_CLASSES)
    novelty = load_novelty(bundle_with(tmp_path, encode_class_means(means)))
    assert novelty is not None
    assert novelty.max_distance == 0.25
    assert novelty.means == pytest.approx(means, abs=1e-6)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"no array", "is no NumPy array"), (encode_class_means(np.ones((2, SIZE), np.float32)), "found float32")],
)
def test_a_file_that_does_not_fit_the_manifest_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    bundle = bundle_with(tmp_path, content)
    with pytest.raises(BundleError, match=complaint):
        load_novelty(bundle)
