"""Near-duplicates."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.messages import Image
from edge.preprocess import crop, square_around
from edge.web.folding import MAX_DISTANCE, NUM_BITS, fingerprint, fold
from edge.web.jpeg import small_jpeg
from tests.scenes.pictures import load_stage

ITEMS = [
    crop(item.picture, square_around(item.box, item.picture.shape[1], item.picture.shape[0]))
    for item in load_stage().items
]


def seen_again(image: Image, seed: int) -> bytes:
    """The same item at another moment: a little shift, other light, sensor noise, its own JPEG."""
    chance = np.random.default_rng(seed)
    shift = np.array([[1, 0, chance.uniform(-3, 3)], [0, 1, chance.uniform(-3, 3)]], np.float32)
    moved = cv2.warpAffine(image, shift, (image.shape[1], image.shape[0]), borderMode=cv2.BORDER_REPLICATE)
    lit = moved * chance.uniform(0.85, 1.1) + chance.normal(0, 4, image.shape)
    return small_jpeg(lit.clip(0, 255).astype(np.uint8), 320)


def bits_of(jpeg: bytes) -> int:
    bits = fingerprint(jpeg)
    assert bits is not None
    return bits


def distance(first: bytes, second: bytes) -> int:
    return (bits_of(first) ^ bits_of(second)).bit_count()


@pytest.mark.parametrize("index", range(len(ITEMS)))
def test_an_item_seen_again_is_folded(index: int) -> None:
    assert distance(seen_again(ITEMS[index], 1), seen_again(ITEMS[index], 2)) <= MAX_DISTANCE


def test_different_items_are_kept_apart() -> None:
    prints = {str(index): bits_of(seen_again(image, 1)) for index, image in enumerate(ITEMS)}
    assert len(fold(prints)) >= len(ITEMS) - 1, "two of a kind may look alike"


def test_a_picture_that_is_none_has_no_fingerprint() -> None:
    assert fingerprint(b"no picture") is None


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 2**NUM_BITS - 1), max_size=12))
def test_every_picture_is_in_one_fold_and_near_to_its_leader(prints: dict[str, int]) -> None:
    folds = fold(prints)
    assert sorted(name for names in folds for name in names) == sorted(prints)
    assert all((prints[names[0]] ^ prints[name]).bit_count() <= MAX_DISTANCE for names in folds for name in names)
