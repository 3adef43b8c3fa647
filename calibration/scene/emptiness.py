"""Does something lie in what is said to be empty? A guess from one picture: pure, and never sure.

A scene below a lid is one surface under one light, with or without a pattern: whatever stands out from the surface
as one compact piece may be an item that was forgotten there.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Box, Image
from edge.presence.planes import Floats, Mask, to_log

_WIDTH_PX = 160
# The light on a plane, as a polynomial of this many terms: 1, x, y, x2, xy, y2.
_NUM_FITS = 6
# A piece stands out by this many spreads of the surface, and by so much of its light, log units.
_SPREADS, _LEAST_CONTRAST = 4.0, 0.18
# Shares of the picture: less is a crumb, more is the scene itself.
_SMALLEST, _LARGEST = 0.008, 0.5
# How much of its box a piece fills: less is a rim, a seam or a cable.
_LEAST_EXTENT = 0.4
_SQUARE3 = np.ones((3, 3), np.uint8)


def suspects(image: Image) -> list[Box]:
    """Where something may lie, in pixels of `image`, (H, W, 3) uint8 RGB; largest first."""
    height, width = image.shape[:2]
    scale = min(1.0, _WIDTH_PX / width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    mask = _standing_out(cv2.GaussianBlur(to_log(small), (0, 0), 1.0))  # type: ignore[arg-type]
    return [_scaled(box, width / size[0], height / size[1]) for box in _pieces(mask)]


def _standing_out(log_picture: Floats) -> Mask:
    """255 where the picture is not the surface that most of it is."""
    height, width = log_picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    values = log_picture.reshape(-1, 3).astype(np.float64)
    is_surface = np.ones(len(values), np.bool_)
    distance: NDArray[np.float64] = np.zeros(len(values))
    limit = 0.0
    for _ in range(_NUM_FITS):
        weights, *_ = np.linalg.lstsq(terms[is_surface], values[is_surface], rcond=None)
        distance = np.sqrt(np.square(values - terms @ weights).sum(axis=1))
        spread = 1.4826 * float(np.median(distance))
        limit = max(_LEAST_CONTRAST, _SPREADS * spread)
        is_surface = distance < 0.6 * limit
    mask = (distance > limit).reshape(height, width).astype(np.uint8) * np.uint8(255)
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _SQUARE3)
    return cv2.morphologyEx(opened, cv2.MORPH_CLOSE, _SQUARE3, iterations=2)  # type: ignore[return-value]


def _pieces(mask: Mask) -> list[Box]:
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(mask)
    # What the picture cuts off is a wall or a rail more often than an item.
    cut_off = set(np.concatenate([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]]).tolist())
    found: list[tuple[int, Box]] = []
    for number, (x, y, box_width, box_height, area) in enumerate(stats[1:].tolist(), start=1):
        is_sized = _SMALLEST <= area / mask.size <= _LARGEST
        is_compact = area >= _LEAST_EXTENT * box_width * box_height
        if is_sized and is_compact and number not in cut_off:
            found.append((area, Box(x, y, box_width, box_height)))
    return [box for _, box in sorted(found, key=lambda each: -each[0])]


def _scaled(box: Box, scale_x: float, scale_y: float) -> Box:
    return Box(round(box.x * scale_x), round(box.y * scale_y), round(box.width * scale_x), round(box.height * scale_y))
