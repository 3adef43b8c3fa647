"""Near-duplicates: the same can, seen ten times, is one picture to label and one group to train on."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

# Brightness gradients of a 9 x 9 thumbnail, 72 across and 72 down.
_SIDE = 9
NUM_BITS = 2 * _SIDE * (_SIDE - 1)
# Of 144 bits. Independent pictures differ in about half of them; sensor noise turns a dozen.
MAX_DISTANCE = 24


def fingerprint(jpeg: bytes) -> int | None:
    """NUM_BITS bits that stay nearly the same under noise, light and small shifts; None where it is no picture.

    A difference hash (Krawetz 2013, "Kind of Like That"), in both directions.
    """
    try:
        # A quarter of the size is decoded much faster and still far above the thumbnail's.
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_4)
    except cv2.error:
        return None
    if image is None:
        return None
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    across = small[:, 1:] > small[:, :-1]
    down = small[1:, :] > small[:-1, :]
    bits = np.packbits(np.concatenate([across.reshape(-1), down.reshape(-1)]))
    return int.from_bytes(bits.tobytes())


def fold(fingerprints: Mapping[str, int], max_distance: int = MAX_DISTANCE) -> list[list[str]]:
    """The names in folds of alike pictures, each led by the first, which all others of its fold are near to.

    >>> fold({"a": 0b0000, "b": 0b1111, "c": 0b0001}, max_distance=1)
    [['a', 'c'], ['b']]
    """
    folds: list[list[str]] = []
    leaders: list[int] = []
    for name, bits in fingerprints.items():
        near = next((index for index, lead in enumerate(leaders) if (lead ^ bits).bit_count() <= max_distance), None)
        if near is None:
            leaders.append(bits)
            folds.append([name])
        else:
            folds[near].append(name)
    return folds
