from __future__ import annotations

from collections import Counter

import pytest

from convert.representative import choose_representative
from edge.errors import InvalidDataError
from edge.run import SplitRow

LABELS = ("can", "cup")


def rows(num_cans: int, num_cups: int, split: str = "train") -> list[SplitRow]:
    cans = [SplitRow(f"can/{number:03}.jpg", "can", "", split) for number in range(num_cans)]
    return cans + [SplitRow(f"cup/{number:03}.jpg", "cup", "", split) for number in range(num_cups)]


def test_each_class_gives_the_same_number() -> None:
    chosen = choose_representative(rows(300, 40), LABELS, num_pictures=60, seed=0)

    assert Counter(row.label for row in chosen) == {"can": 30, "cup": 30}
    assert len(set(chosen)) == 60


def test_a_rare_class_gives_all_it_has() -> None:
    chosen = choose_representative(rows(300, 4), LABELS, num_pictures=60, seed=0)

    assert Counter(row.label for row in chosen) == {"can": 30, "cup": 4}


def test_the_choice_depends_on_the_seed_and_not_on_the_order_of_the_file() -> None:
    pictures = rows(300, 40)
    chosen = choose_representative(pictures, LABELS, 60, seed=1)

    assert choose_representative(pictures[::-1], LABELS, 60, seed=1) == chosen
    assert choose_representative(pictures, LABELS, 60, seed=2) != chosen


def test_a_held_out_picture_never_sets_a_range() -> None:
    chosen = choose_representative(rows(3, 3) + rows(50, 50, split="val")[6:], LABELS, 60, seed=0)

    assert {row.split for row in chosen} == {"train"}


def test_a_class_without_training_pictures_is_an_error() -> None:
    with pytest.raises(InvalidDataError, match="no training picture of cup"):
        choose_representative(rows(5, 0), LABELS, 10, seed=0)
