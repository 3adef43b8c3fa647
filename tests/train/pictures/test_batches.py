from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.data_folder import scan
from edge.preprocess import InputSpec, load_picture, to_input
from tests.train.shapes import draw_item
from train.pictures.batches import TrainingBatches, load_sources, read_inputs
from train.recipes import Augment, load_recipe

RANGES = load_recipe("efficientnet-lite0").augment


@pytest.fixture(scope="module")
def make(shapes: Path, tmp_path_factory: pytest.TempPathFactory):
    dataset = scan(shapes)
    sources = load_sources(dataset, dataset.rows[:10], 64, RANGES, tmp_path_factory.mktemp("scratch"))
    targets, weights = np.eye(10, dtype=np.float32), np.arange(10, dtype=np.float32)

    def build(seed: int = 0, epoch: int = 0) -> TrainingBatches:
        return TrainingBatches(
            sources, targets, weights, batch_size=4, size_px=64, ranges=RANGES, seed=seed, epoch=epoch
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


def test_sources_keep_their_aspect_and_are_a_little_larger_than_the_input(shapes: Path, tmp_path: Path) -> None:
    dataset = scan(shapes)
    (source,) = load_sources(dataset, dataset.rows[:1], 64, RANGES, tmp_path)
    assert source.image.shape == (74, 88, 3)  # 80 x 96 scaled by 1.15 * 64 / 80


def test_a_picture_without_an_outline_stays_on_its_ground_unless_its_class_comes_as_sheets(tmp_path: Path) -> None:
    even = np.random.default_rng(0).normal(150, 4, (80, 96, 3)).clip(0, 255).astype(np.uint8)
    for label in ("bottle", "carton"):
        (tmp_path / label).mkdir()
        cv2.imwrite(str(tmp_path / label / "even.png"), even)
        cv2.imwrite(str(tmp_path / label / "item.png"), draw_item())
    dataset = scan(tmp_path)
    sources = load_sources(dataset, dataset.rows, 64, Augment(sheet_labels=("carton",)), tmp_path)
    stays = {row.path for row, source in zip(dataset.rows, sources, strict=True) if source.keeps_ground}
    assert stays == {"bottle/even.png"}


def test_validation_pictures_are_the_devices_own(shapes: Path) -> None:
    dataset, spec = scan(shapes), InputSpec(64, 64)
    inputs = list(read_inputs(dataset, dataset.rows[:2], spec))
    np.testing.assert_array_equal(inputs[1], to_input(load_picture(dataset.path(dataset.rows[1])), spec))
