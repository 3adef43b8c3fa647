"""What the network looked at: cover a part of the picture, and see whose score falls.

Occlusion after Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2.
It asks the very network that sorts, int8 and all, and needs nothing of its insides.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge.classifiers.base import Classifier
from edge.messages import Image

# 7 x 7 covers are 49 inferences: half a second on a desktop core, two or three on a Raspberry Pi.
NUM_CELLS = 7
# A cover is wider than its cell: what one cell alone hides, the network often makes up for.
_COVER_CELLS = 2.0
# Keeps a score of exactly 0 or 1 from being infinitely sure.
_SURE = 1e-6


def heat_rows(image: Image, classifier: Classifier) -> Iterator[NDArray[np.float32]]:
    """How much each class loses when a part is covered, row by row, each (NUM_CELLS, C), in log-odds.

    `image` is (height_px, width_px, 3), as `classifier` takes it. Above 0: that part speaks for the class; below:
    against it. One row takes NUM_CELLS inferences.
    """
    whole = _log_odds(classifier.classify(image).scores)
    ground = np.rint(image.mean(axis=(0, 1))).astype(np.uint8)
    for row in range(NUM_CELLS):
        covered = [
            _log_odds(classifier.classify(_cover(image, row, column, ground)).scores) for column in range(NUM_CELLS)
        ]
        yield whole - np.stack(covered)


def _cover(image: Image, row: int, column: int, ground: NDArray[np.uint8]) -> Image:
    """The picture with one cell and its surroundings in the picture's mean color."""
    covered = image.copy()
    covered[_span(row, image.shape[0]), _span(column, image.shape[1])] = ground
    return covered


def _span(cell_index: int, size_px: int) -> slice:
    """The pixels that the cover of a cell hides along one axis.

    >>> _span(0, 224), _span(3, 224)
    (slice(0, 48, None), slice(80, 144, None))
    """
    cell_px = size_px / NUM_CELLS
    middle_px, half_px = (cell_index + 0.5) * cell_px, _COVER_CELLS * cell_px / 2
    return slice(max(0, round(middle_px - half_px)), round(middle_px + half_px))


def _log_odds(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    sure: NDArray[np.float32] = np.clip(scores, _SURE, 1 - _SURE).astype(np.float32)
    odds: NDArray[np.float32] = np.log(sure / (1 - sure))
    return odds
