"""An item cut out of a photograph."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import PictureError
from edge.messages import Image
from edge.simulation.outline import find_outline

# What is left when a picture cannot be cut: a sheet, without the rim where photographs fade.
_SHEET_RIM = 0.04
# In fewer pixels across there is no item, and no rim around it.
_LEAST_SIDE_PX = 16


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """`image` (H, W, 3) uint8 RGB and `alpha` (H, W) float32 0..1, trimmed to the item.

    `is_sheet` where the picture had no outline to cut along: what lies there is a flat print of the whole picture.
    """

    image: Image
    alpha: NDArray[np.float32]
    label: str
    source: str
    is_sheet: bool = False


def cut_out(image: Image, label: str = "", source: str = "") -> Cutout:
    """The item in a photograph; a picture without an outline, or that is all item, becomes a flat sheet of itself.

    Raises:
        PictureError: the picture is too small to hold an item.
    """
    height, width = image.shape[:2]
    if min(height, width) < _LEAST_SIDE_PX:
        raise PictureError(
            f"{source or 'the picture'} has {width}x{height} pixels: too small to cut an item out,"
            f" expected at least {_LEAST_SIDE_PX} across"
        )
    mask, is_sheet = item_mask(image)
    alpha = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    alpha = np.clip((cv2.GaussianBlur(alpha, (0, 0), 1.2) - 0.3) / 0.5, 0, 1)  # a little inside of the true edge
    rows, columns = np.flatnonzero(alpha.max(axis=1) > 0.5), np.flatnonzero(alpha.max(axis=0) > 0.5)
    inside = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Cutout(image[inside], alpha[inside].astype(np.float32), label, source, is_sheet)


def item_mask(image: Image) -> tuple[NDArray[np.uint8], bool]:
    """(h, w) 0 or 1 at a working size of its own: the picture's item, or a sheet a little smaller; and which."""
    outline = find_outline(image)
    return (_sheet(image.shape), True) if outline is None else (outline, False)


def _sheet(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    mask = np.zeros(shape[:2], np.uint8)
    rim_y, rim_x = max(1, round(shape[0] * _SHEET_RIM)), max(1, round(shape[1] * _SHEET_RIM))
    mask[rim_y:-rim_y, rim_x:-rim_x] = 1
    return mask
