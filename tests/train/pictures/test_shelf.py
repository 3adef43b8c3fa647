from __future__ import annotations

import resource
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from edge.data_folder import scan
from edge.run import TRAIN_SPLIT
from train.fitting.fit import find_pictures
from train.fitting.phases import fit_probe
from train.networks.model import build_model
from train.pictures.ahead import Thing
from train.pictures.material import load_material
from train.pictures.shelf import shelve
from train.recipes import Recipe, load_recipe
from train.splits import with_splits


def test_what_is_shelved_comes_back_and_leaves_no_file(tmp_path: Path) -> None:
    arrays = [np.random.default_rng(n).integers(0, 256, (n, 5, 3), np.uint8) for n in (7, 1, 4)]
    shelved = shelve(iter(arrays), tmp_path)
    assert not list(tmp_path.iterdir())
    for found, expected in zip(shelved, arrays, strict=True):
        np.testing.assert_array_equal(found, expected)
        with pytest.raises(ValueError, match="read-only"):
            found[0] = 0


def test_a_disk_without_room_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    """Writing through the mapping would end the process by a signal."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            shelve([np.zeros(1_000_000, np.uint8)], tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_pictures_that_are_learned_take_no_memory_of_the_process(shapes: Path, tmp_path: Path) -> None:
    recipe = load_recipe("efficientnet-lite0")
    dataset = with_splits(scan(shapes), recipe.data, seed=0)
    tracemalloc.start()
    try:
        material = load_material(dataset, recipe, 0, tmp_path)
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(material.sources) == len(dataset.of(TRAIN_SPLIT))
    total = sum(source.image.nbytes for source in material.sources) + sum(one.nbytes for one in material.val.inputs)
    assert held_bytes < total / 4


def test_every_picture_that_is_read_is_told_of(shapes: Path, small_recipe: Recipe, tmp_path: Path) -> None:
    """Ten thousands of them take most of an hour."""
    told: list[int] = []

    def progress(things: Sequence[Thing]) -> Iterator[Thing]:
        for number, thing in enumerate(things, start=1):
            yield thing
            told.append(number)

    found = find_pictures(shapes, small_recipe, progress)
    num_pictures = len(found.rows)
    each = list(range(1, num_pictures + 1))
    assert told == [*each, *each]  # whether it is whole, and what it looks like
    told.clear()
    split = with_splits(found, small_recipe.data, seed=0)
    material = load_material(split, small_recipe, 0, tmp_path, progress=progress)
    assert len(told) == num_pictures
    told.clear()
    fit_probe(build_model(small_recipe, 3, small_recipe.network.train_px), material, small_recipe, progress)
    assert told == list(range(1, len(material.batches(0)) + 1))  # before the first epoch, as long as one
