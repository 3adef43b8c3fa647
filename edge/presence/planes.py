"""OpenCV's arithmetic on small pictures, with the types that its stubs leave out.

A plane is (H, W) float32, a log picture (H, W, 3) float32, a mask (H, W) uint8 of 0 and 255.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Image

Floats = NDArray[np.float32]
Mask = NDArray[np.uint8]

# Added to pixel values before the logarithm: keeps the noise of dark pixels from exploding.
DARK_LEVEL = 10.0
SQUARE3 = np.ones((3, 3), np.uint8)

_LOG_TABLE = np.log(np.arange(256, dtype=np.float32) + DARK_LEVEL)
_MEAN = np.full((1, 3), 1 / 3, np.float32)
_SUM = np.ones((1, 3), np.float32)


def to_log(image: Image) -> Floats:
    """The natural logarithm of a picture, in which a change of light is added."""
    return cv2.LUT(image, _LOG_TABLE)  # type: ignore[return-value]


def brightness(log_picture: Floats) -> Floats:
    """The mean over the channels, (H, W)."""
    return cv2.transform(log_picture, _MEAN)  # type: ignore[return-value]


def energy(log_picture: Floats) -> Floats:
    """The sum of squares over the channels, (H, W)."""
    return cv2.transform(cv2.multiply(log_picture, log_picture), _SUM)  # type: ignore[return-value]


def gradient(plane: Floats) -> Floats:
    """Gradient magnitude per pixel, by Sobel."""
    across = cv2.Sobel(plane, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(plane, cv2.CV_32F, 0, 1, scale=1 / 8)
    return cv2.magnitude(across, down)  # type: ignore[return-value]


def positive(values: Floats) -> Floats:
    """Each value, or 0 where it is less."""
    return cv2.max(values, 0.0)  # type: ignore[call-overload, no-any-return]


def exceeds(plane: Floats, limit: float) -> Mask:
    """255 where the plane is greater than `limit`."""
    return cv2.compare(plane, limit, cv2.CMP_GT)  # type: ignore[call-overload, no-any-return]


def squared(values: Floats, scale: float = 1.0) -> Floats:
    """The square of each value, times `scale`."""
    return cv2.multiply(values, values, scale=scale)  # type: ignore[return-value]


def minus(left: Floats, right: Floats) -> Floats:
    """Their difference."""
    return cv2.subtract(left, right)  # type: ignore[return-value]


def plus(left: Floats, right: Floats) -> Floats:
    """Their sum."""
    return cv2.add(left, right)  # type: ignore[return-value]


def share_of(mask: Mask) -> float:
    """The share of a mask that is set, 0..1."""
    return cv2.countNonZero(mask) / mask.size
