"""The item of a photograph, so that training can lay it on another ground.

A data set's ground often tells the class; a network that learns it is lost under another camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Image
from edge.simulation.cutout import item_mask

Mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """An item in its picture: `mask` (h, w) uint8 0..255 at working size, its box in shares of the picture.

    `ground` is the mean color around it, (3,) float32 RGB in 0..255. `is_sheet` where no outline was found.
    """

    mask: Mask
    x: float
    y: float
    width: float
    height: float
    ground: NDArray[np.float32]
    is_sheet: bool


def cut_out(image: Image) -> Cutout:
    """The item as simulated bins cut it out: by its outline, or a sheet of the whole picture where there is none."""
    mask, is_sheet = item_mask(image)
    rows, columns = mask.shape
    x, y, width, height = cv2.boundingRect(mask)
    small = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    ground = cv2.mean(small, 1 - mask)[:3]
    return Cutout(
        mask * np.uint8(255),
        x / columns,
        y / rows,
        width / columns,
        height / rows,
        np.array(ground, np.float32),
        is_sheet,
    )
