from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.data_folder import Dataset
from edge.run import SplitRow
from train.pictures.likeness import connected, find_groups, to_unit
from train.recipes import Data
from train.splits import with_splits


def rows(*labels: str) -> list[SplitRow]:
    return [SplitRow(f"{label}/{index}.jpg", label, "", "") for index, label in enumerate(labels)]


def around(center: int, count: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Vectors near one axis of 64."""
    base = np.zeros(64)
    base[center] = 1
    return base + rng.normal(0, spread, (count, 64))


def test_pictures_of_one_object_get_one_name_and_others_none() -> None:
    rng = np.random.default_rng(0)
    vectors = np.concatenate([around(0, 3, 0.01, rng), rng.normal(0, 1, (40, 64)) / 8])
    groups = find_groups(to_unit(vectors.astype(np.float32)), rows(*["can"] * 43))
    assert groups[:3] == ["can~1"] * 3
    assert set(groups[3:]) == {""}


def test_groups_never_cross_classes() -> None:
    rng = np.random.default_rng(0)
    vectors = np.concatenate([around(0, 4, 0.01, rng), rng.normal(0, 1, (40, 64)) / 8]).astype(np.float32)
    labels = ["can", "can", "jar", "jar", *["can"] * 20, *["jar"] * 20]
    groups = find_groups(to_unit(vectors), rows(*labels))
    assert groups[:4] == ["can~1", "can~1", "jar~1", "jar~1"]


def test_a_class_that_all_looks_alike_is_cut_into_parts_small_enough_to_split() -> None:
    rng = np.random.default_rng(0)
    vectors = np.concatenate([around(0, 50, 0.02, rng), around(1, 50, 0.02, rng)]).astype(np.float32)
    groups = find_groups(to_unit(vectors), rows(*["can"] * 50, *["jar"] * 50))
    sizes = [groups.count(name) for name in set(groups) - {""}]
    assert max(sizes, default=1) <= 5  # a tenth of the class


def test_what_hangs_together_through_others_is_one_part() -> None:
    adjacent = np.eye(5, dtype=bool)
    for one, other in ((0, 1), (1, 2), (3, 4)):
        adjacent[one, other] = adjacent[other, one] = True
    assert connected(5, lambda rows: adjacent[rows]).tolist() == [0, 0, 0, 3, 3]


@pytest.mark.parametrize("num_pairs", [0, 300, 600, 2000])
def test_parts_are_found_whole_however_many_rows_are_looked_at_together(num_pairs: int) -> None:
    """A thousand things are looked at a few hundred at a time; walking along the pairs finds the same parts."""
    rng = np.random.default_rng(num_pairs)
    adjacent = np.eye(1000, dtype=bool)
    one, other = rng.integers(0, 1000, (2, num_pairs))
    adjacent[one, other] = adjacent[other, one] = True
    reached = adjacent.astype(np.float32)
    while ((further := np.sign(reached @ reached)) != reached).any():
        reached = further
    assert connected(1000, lambda rows: adjacent[rows]).tolist() == reached.argmax(axis=1).tolist()


def test_a_row_of_all_pictures_is_never_looked_at_with_more_than_some_hundred_others() -> None:
    heights: list[int] = []

    def relation(rows: slice) -> NDArray[np.bool_]:
        heights.append(len(range(*rows.indices(5000))))
        return np.ones((heights[-1], 5000), np.bool_)

    assert not connected(5000, relation).any()
    assert max(heights) <= 256
    assert sum(heights) == 5000


@pytest.mark.parametrize("seed", range(10))
def test_copies_stay_together_however_many_in_a_small_class(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, 1, (48, 64)) / 8
    for label in (0, 24):  # 24 pictures a class, two of them there four times, and a chain of others that look alike
        vectors[label : label + 4], vectors[label + 4 : label + 8] = vectors[label], vectors[label + 4]
        vectors[label + 8 : label + 12] = vectors[label] + rng.normal(0, 0.05, (4, 64))
    pictures = rows(*["can"] * 24, *["jar"] * 24)
    groups = find_groups(to_unit(vectors.astype(np.float32)), pictures)
    named = tuple(replace(row, group=group) for row, group in zip(pictures, groups, strict=True))
    drawn = with_splits(Dataset(Path("data"), ("can", "jar"), named), Data(val_share=0.25), seed)
    for first in (0, 4, 24, 28):
        assert len({row.split for row in drawn.rows[first : first + 4]}) == 1
        assert len(set(groups[first : first + 4]) - {""}) == 1
