from __future__ import annotations

import numpy as np

from edge.run import SplitRow
from train.likeness import connected, find_groups, to_unit


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
    assert connected(adjacent).tolist() == [0, 0, 0, 3, 3]
