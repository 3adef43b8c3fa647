"""What looks like nothing that was trained is far from every class mean."""

from __future__ import annotations

import io
import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import MANIFEST, MODEL, Bundle, load_bundle
from edge.deciding.novelty import (
    CLASS_MEANS,
    NUM_PROTOTYPES,
    PROTOTYPES,
    REFUSED_SHARE,
    Novelty,
    Vectors,
    distances,
    encode_vectors,
    fit_class_means,
    fit_max_distance,
    fit_prototypes,
    fit_same_likeness,
    load_novelty,
)
from edge.errors import BundleError, InvalidDataError

NUM_CLASSES, SIZE = 3, 64


def archived() -> bytes:
    file = io.BytesIO()
    np.savez(file, np.ones((NUM_CLASSES, SIZE), np.float32))
    return file.getvalue()


def described_as(dtype: str, shape: str) -> bytes:
    """An array file with this in its header, and little after it."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)


DAMAGED = [
    b"",
    b"no array",
    archived(),
    described_as("<f4", "(3, 64"),
    described_as(",f4", "(3, 64)"),
    described_as("|O", "(3, 64)"),
    described_as("<f4", "(True, 64)"),
    described_as("<f4", "(-3, 64)"),
    described_as("<f4", f"({10**12}, 64)"),
    described_as("<f4", f"({10**30}, 64)"),
]


def embeddings(num: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clusters around one direction a class, like pooled features: none negative."""
    chance = np.random.default_rng(seed)
    centers = np.abs(np.random.default_rng(0).normal(size=(NUM_CLASSES, SIZE)))
    label_indices = np.arange(num) % NUM_CLASSES
    noise = np.abs(chance.normal(scale=0.3, size=(num, SIZE)))
    return (centers[label_indices] + noise).astype(np.float32), label_indices


def known_by(means: Vectors, max_distance: float) -> Novelty:
    return Novelty(means, max_distance, means[:0])


def bundle_with(folder: Path, means: bytes, prototypes: bytes | None = None) -> Bundle:
    files = {MODEL: b"a model", CLASS_MEANS: means}
    files |= {} if prototypes is None else {PROTOTYPES: prototypes}
    manifest = {
        "schema": 1,
        "name": "drawn",
        "labels": ["a", "b", "c"],
        "precision": "int8",
        "input": {"height_px": 32, "width_px": 32},
        "outputs": {"logits": 0, "embedding": 1, "embedding_size": SIZE},
        "temperature": 1.0,
        "novelty": {
            "class_means": CLASS_MEANS,
            "max_distance": 0.25,
            **({} if prototypes is None else {"prototypes": PROTOTYPES}),
        },
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


def test_the_mean_of_a_class_points_where_its_own_do() -> None:
    known = np.array([[3, 0, 0], [3, 4, 0], [0, 0, 2], [0, 1, 0]], np.float32)
    means = fit_class_means(known, np.array([0, 0, 1, 2]), 3)
    assert means == pytest.approx(np.array([[3 / 13**0.5, 2 / 13**0.5, 0], [0, 0, 1], [0, 1, 0]]))


def test_of_many_known_items_as_many_are_refused_as_should_be_however_they_lie() -> None:
    known = np.concatenate([np.full(970, 0.1), np.full(30, 0.9)]).astype(np.float32)
    assert fit_max_distance(known, refused_share=0.02) == pytest.approx(0.9), "a second heap, larger than that share"
    assert fit_max_distance(known, refused_share=0.04) == pytest.approx(0.1)


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
    novelty = known_by(fit_class_means(known, label_indices, NUM_CLASSES), 0.5)
    assert novelty.distance(known[0]) == pytest.approx(novelty.distance(known[0] * 7), abs=1e-6)
    assert novelty.distance(np.zeros(SIZE, np.float32)) == 1


def test_a_class_that_joins_is_no_stranger_any_more() -> None:
    novelty = known_by(fit_class_means(*embeddings(30, 1), NUM_CLASSES), 0.1)
    stranger = np.abs(np.random.default_rng(3).normal(size=SIZE)).astype(np.float32)
    assert novelty.distance(stranger) > novelty.max_distance
    assert novelty.joined_by(stranger[None]).distance(stranger) == pytest.approx(0, abs=1e-6)


def test_each_class_needs_an_embedding() -> None:
    with pytest.raises(InvalidDataError, match="no embedding of class 2"):
        fit_class_means(np.ones((2, SIZE), np.float32), np.array([0, 1]), NUM_CLASSES)


def test_a_bundle_carries_what_known_items_look_like(tmp_path: Path) -> None:
    means = fit_class_means(*embeddings(30, 1), NUM_CLASSES)
    novelty = load_novelty(bundle_with(tmp_path, encode_vectors(means)))
    assert novelty is not None
    assert novelty.max_distance == 0.25
    assert novelty.means == pytest.approx(means, abs=1e-6)
    assert len(novelty.prototypes) == 0  # of a bundle that was made before there were any


def test_of_one_thing_seen_twice_one_in_fifty_may_look_otherwise() -> None:
    angles = np.linspace(0, 0.5, 101)
    straight = np.stack([np.ones(101), np.zeros(101)], axis=1).astype(np.float32)
    again = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert fit_same_likeness(3 * straight, again) == pytest.approx(np.cos(0.49), abs=1e-3)
    assert fit_same_likeness(straight[:5], again[:5]) is None


def test_prototypes_are_one_for_each_kind_of_a_class(tmp_path: Path) -> None:
    kinds = np.repeat(np.eye(SIZE, dtype=np.float32)[: 2 * NUM_PROTOTYPES], 5, axis=0)
    label_indices = np.repeat([0, 1], 5 * NUM_PROTOTYPES)
    few = 3 * np.eye(SIZE, dtype=np.float32)[-2:]
    seen, labels = np.concatenate([kinds, few]), np.concatenate([label_indices, [2, 2]])

    prototypes = fit_prototypes(seen, labels, NUM_CLASSES)

    assert len(prototypes) == 2 * NUM_PROTOTYPES + 2
    assert distances(prototypes, seen).max() < 1e-6
    np.testing.assert_array_equal(prototypes, fit_prototypes(seen, labels, NUM_CLASSES))
    bundle = bundle_with(tmp_path, encode_vectors(prototypes[:NUM_CLASSES]), encode_vectors(prototypes))
    novelty = load_novelty(bundle)
    assert novelty is not None
    assert novelty.prototypes == pytest.approx(prototypes, abs=1e-6)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        *((content, "is no NumPy array") for content in DAMAGED),
        (encode_vectors(np.ones((2, SIZE), np.float32)), "found float32"),
    ],
)
def test_a_file_that_does_not_fit_the_manifest_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    bundle = bundle_with(tmp_path, content)
    with pytest.raises(BundleError, match=complaint):
        load_novelty(bundle)


@pytest.mark.parametrize(
    "content", [np.ones((2, SIZE - 1)), np.zeros((0, SIZE)), np.float32(1), np.full((1, SIZE), np.nan)]
)
def test_prototypes_that_do_not_fit_are_refused(tmp_path: Path, content: np.ndarray) -> None:
    means = encode_vectors(fit_class_means(*embeddings(30, 1), NUM_CLASSES))
    with pytest.raises(BundleError, match=r"prototypes\.npy: expected finite float32"):
        load_novelty(bundle_with(tmp_path, means, encode_vectors(content)))
