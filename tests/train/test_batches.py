from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.data_folder import scan
from edge.preprocess import InputSpec, load_picture, to_input
from train.batches import TrainingBatches, load_inputs, load_sources
from train.recipes import load_recipe


@pytest.fixture(scope="module")
def make(shapes: Path):
    dataset = scan(shapes)
    sources = load_sources(dataset, dataset.rows[:10], 64)
    targets, weights = np.eye(10, dtype=np.float32), np.arange(10, dtype=np.float32)

    def build(seed: int = 0, epoch: int = 0) -> TrainingBatches:
        ranges = load_recipe("efficientnet-lite0").augment
        return TrainingBatches(
            sources, targets, weights, batch_size=4, size_px=64, ranges=ranges, seed=seed, epoch=epoch
        )

    return build


def test_an_epoch_shows_every_picture_once_with_its_label_and_weight(make) -> None:
    batches = make()
    parts = [batches[index] for index in range(len(batches))]
    assert [len(images) for images, _, _ in parts] == [4, 4, 2]
    labels = np.concatenate([targets.argmax(axis=1) for _, targets, _ in parts])
    weights = np.concatenate([weights for _, _, weights in parts])
    assert sorted(labels) == list(range(10))
    np.testing.assert_array_equal(labels, weights)


def test_a_batch_does_not_depend_on_what_was_asked_before(make) -> None:
    first, second = make(), make()
    first[0]
    np.testing.assert_array_equal(first[2][0], second[2][0])


def test_epochs_and_seeds_differ(make) -> None:
    images = make()[0][0]
    assert (make(epoch=1)[0][0] != images).any()
    assert (make(seed=1)[0][0] != images).any()


def test_sources_keep_their_aspect_and_are_a_little_larger_than_the_input(shapes: Path) -> None:
    dataset = scan(shapes)
    (source,) = load_sources(dataset, dataset.rows[:1], 64)
    assert source.image.shape == (74, 88, 3)  # 80 x 96 scaled by 1.15 * 64 / 80


def test_validation_pictures_are_the_devices_own(shapes: Path) -> None:
    dataset, spec = scan(shapes), InputSpec(64, 64)
    inputs = load_inputs(dataset, dataset.rows[:2], spec)
    np.testing.assert_array_equal(inputs[1], to_input(load_picture(dataset.path(dataset.rows[1])), spec))
