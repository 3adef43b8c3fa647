from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.preprocess import Image, InputSpec, to_input
from train.measuring.robustness import AS_IT_IS, CONDITIONS, OTHER_BACKGROUND, measure_robustness
from train.pictures.augment import shrunk

T = TypeVar("T")

SPEC = InputSpec(32, 32)


class Eye:
    """A scorer that takes every picture for the first of two classes, and keeps what it was shown."""

    def __init__(self) -> None:
        self.seen: list[Sequence[Image]] = []

    def __call__(self, images: Sequence[Image]) -> NDArray[np.float32]:
        self.seen.append(images)
        return np.tile(np.array([1, 0], np.float32), (len(images), 1))


def grained(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("white balance +15 % (warm)", (115, 100, 85)),
        ("white balance -15 % (cold)", (85, 100, 115)),
        ("exposure +20 %", (120, 120, 120)),
        ("exposure -20 %", (80, 80, 80)),
    ],
)
def test_a_condition_does_what_it_is_called(condition: str, expected: tuple[int, int, int]) -> None:
    changed = CONDITIONS[condition](np.full((2, 2, 3), 100, np.uint8))
    assert changed.dtype == np.uint8
    # A gain is no exact binary number, and the fraction is cut off.
    np.testing.assert_allclose(changed[0, 0].astype(int), expected, atol=1)


# The shorter side up to which a network of 32 pixels is shown the picture's own, and a larger one.
@pytest.mark.parametrize("size", [(64, 80), (600, 800)])
def test_the_conditions_see_at_most_twice_what_the_network_takes(size: tuple[int, int]) -> None:
    image, eye = grained(*size), Eye()
    measure_robustness(lambda _: image, [0], SPEC, eye)
    as_it_is, *changed, _on_other_ground = eye.seen[0]
    np.testing.assert_array_equal(as_it_is, to_input(image, SPEC))
    small = image if size == (64, 80) else shrunk(image, 64)
    assert small.shape[0] == 64
    for shown, change in zip(changed, CONDITIONS.values(), strict=True):
        np.testing.assert_array_equal(shown, to_input(change(small), SPEC))


def test_a_row_counts_what_is_right() -> None:
    rows = measure_robustness(lambda index: grained(40, 40, index), [0, 1, 0, 0], SPEC, Eye())
    assert [row.condition for row in rows] == [AS_IT_IS, *CONDITIONS, OTHER_BACKGROUND]
    assert {(row.num_pictures, row.accuracy) for row in rows} == {(4, 0.75)}


def test_other_grounds_are_lent_by_other_pictures_and_always_the_same() -> None:
    opened: list[int] = []

    def open_picture(index: int) -> Image:
        opened.append(index)
        return grained(40, 40, index)

    first, second = Eye(), Eye()
    measure_robustness(open_picture, [0] * 12, SPEC, first)
    assert len(opened) > 12
    measure_robustness(open_picture, [0] * 12, SPEC, second)
    np.testing.assert_array_equal(first.seen, second.seen)


def test_however_many_large_pictures_there_are_few_are_in_memory() -> None:
    size = (1500, 2000)
    num_bytes = 3 * size[0] * size[1]
    counted: list[int] = []

    def progress(things: Sequence[T]) -> Iterator[T]:
        for number, thing in enumerate(things):
            yield thing
            counted.append(number)

    tracemalloc.start()
    try:
        measure_robustness(lambda index: np.full((*size, 3), 20 * index, np.uint8), [0] * 10, SPEC, Eye(), progress)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert counted == list(range(10))
    # The picture and one that lends its ground, and half of one for all that is small.
    assert peak < 2.5 * num_bytes
