"""The representative dataset: the pictures whose activations set the ranges of an int8 model."""

from __future__ import annotations

import random
from collections.abc import Sequence

from edge.errors import InvalidDataError
from edge.run import TRAIN_SPLIT, SplitRow

DEFAULT_NUM_PICTURES = 240


def choose_representative(
    rows: Sequence[SplitRow], labels: Sequence[str], num_pictures: int, seed: int
) -> tuple[SplitRow, ...]:
    """Training pictures, the same number of each class where there are enough, in the order of `labels`.

    A class with fewer pictures gives all of them. The same seed gives the same choice.

    Raises:
        InvalidDataError: a class has no training picture.
    """
    training = sorted((row for row in rows if row.split == TRAIN_SPLIT), key=lambda row: row.path)
    share = max(1, num_pictures // len(labels))
    chance = random.Random(seed)  # noqa: S311  (a choice of pictures, not of keys)
    chosen: list[SplitRow] = []
    for label in labels:
        pictures = [row for row in training if row.label == label]
        if not pictures:
            raise InvalidDataError(f"splits.csv has no training picture of {label}: train again on a folder that has")
        chosen += sorted(chance.sample(pictures, min(share, len(pictures))), key=lambda row: row.path)
    return tuple(chosen)
