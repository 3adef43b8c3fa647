from __future__ import annotations

import numpy as np
import pytest

from train.measuring.neighbors import nearest_in, objects_of


def test_pictures_of_one_group_are_one_object_and_each_without_is_its_own() -> None:
    objects = objects_of(["a", "", "b", "a", ""])
    assert objects[0] == objects[3]
    assert len(set(objects.tolist())) == 4


@pytest.mark.parametrize("num", [1, 3, 7, 20])
def test_the_nearest_come_in_order_and_are_as_many_as_there_are(num: int) -> None:
    likeness = np.random.default_rng(num).standard_normal((5, 7)).astype(np.float32)
    assert nearest_in(likeness, num).tolist() == np.argsort(-likeness, axis=1)[:, :num].tolist()
