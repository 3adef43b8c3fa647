"""The pictures that are most like another one, of other objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


def objects_of(groups: Sequence[str]) -> Indices:
    """A number for each picture, (N,), the same for those of one group; one without a group is an object of its own."""
    _, numbers = np.unique([group or f"\0{index}" for index, group in enumerate(groups)], return_inverse=True)
    return numbers.astype(np.intp)


def nearest_in(likeness: NDArray[np.floating], num: int) -> Indices:
    """For each row of `likeness` (n, N) the columns of its `num` largest values, largest first, (n, num at most)."""
    num = min(num, likeness.shape[1])
    found = np.argpartition(-likeness, num - 1, axis=1)[:, :num]
    order = np.argsort(-np.take_along_axis(likeness, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)
