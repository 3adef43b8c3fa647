"""The background test: how well a picture's corners alone tell its class.

Where they do, a network may learn the photographer's table instead of the item, and fails under another camera.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Image
from train.measuring.neighbors import nearest_in, objects_of
from train.pictures.likeness import blocks

_CORNER = 0.1  # of the shorter side
_NEIGHBORS = 5


@dataclass(frozen=True, slots=True)
class BackgroundTest:
    """The share that corner colors get right, beside what always saying the largest class gets right."""

    accuracy: float
    largest_class: float

    @property
    def verdict(self) -> str:
        """What the numbers mean, in a sentence."""
        gain = (self.accuracy - self.largest_class) / max(1e-9, 1 - self.largest_class)
        if gain > 0.25:
            return "the background gives the class away: expect much less under another camera"
        if gain > 0.1:
            return "the background tells something of the class"
        return "the background tells little of the class"


def corner_colors(image: Image) -> NDArray[np.float32]:
    """Mean CIELAB color of the four corners, (12,)."""
    side = max(1, int(_CORNER * min(image.shape[:2])))
    corners = [
        image[rows, columns]
        for rows in (slice(side), slice(-side, None))
        for columns in (slice(side), slice(-side, None))
    ]
    means = np.array([[corner.reshape(-1, 3).mean(axis=0) for corner in corners]], np.float32) / 255
    return cv2.cvtColor(means, cv2.COLOR_RGB2LAB).reshape(-1).astype(np.float32)


def measure_background(colors: NDArray[np.float32], labels: Sequence[str], groups: Sequence[str]) -> BackgroundTest:
    """Each picture by the vote of its five nearest of other groups; `colors` (N, 12)."""
    squared, objects = (colors**2).sum(axis=1), objects_of(groups)
    num_right = 0
    for rows in blocks(len(colors)):
        distance = squared[rows, None] + squared - 2 * colors[rows] @ colors.T
        distance[objects[rows, None] == objects] = np.inf
        for label, nearest in zip(labels[rows], nearest_in(-distance, _NEIGHBORS), strict=True):
            votes = Counter(labels[other] for other in nearest)
            num_right += max(votes, key=lambda name: votes[name]) == label
    largest = max(Counter(labels).values())
    return BackgroundTest(num_right / len(labels), largest / len(labels))
