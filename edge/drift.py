"""Whether the camera still sees the empty scene as on the day of calibration, in words when it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from annotated_types import Ge, Le

from edge.messages import Image

Level = Annotated[float, Ge(0), Le(255)]

# Sharpness is judged at this width: beyond it, a webcam's own noise and sharpening speak.
_SHARP_WIDTH_PX = 640


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the empty scene looked like in numbers.

    `brightness` and the colors are means in grey levels, 0..255; `sharpness` as `sharpness` gives it; `noise` is the
    spread of a pixel around its mean, in grey levels.
    """

    brightness: Level
    red: Level
    green: Level
    blue: Level
    sharpness: Annotated[float, Ge(0)]
    noise: Annotated[float, Ge(0)]


def fingerprint(image: Image, noise: float = 0.0) -> Fingerprint:
    """The fingerprint of one picture, (H, W, 3) uint8 RGB."""
    red, green, blue = (round(float(level), 2) for level in cv2.mean(image)[:3])
    brightness = round((red + green + blue) / 3, 2)
    return Fingerprint(brightness, red, green, blue, round(sharpness(image), 1), round(noise, 2))


def sharpness(image: Image) -> float:
    """How much fine structure a picture has, whatever its light: 0 for none; comparable within one scene only.

    The variance of the Laplacian over the squared brightness, times 10,000.
    """
    height, width = image.shape[:2]
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if width > _SHARP_WIDTH_PX:
        size = (_SHARP_WIDTH_PX, max(1, round(height * _SHARP_WIDTH_PX / width)))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    level = max(1.0, float(gray.mean()))
    return float(np.square(cv2.meanStdDev(cv2.Laplacian(gray, cv2.CV_32F))[1][0, 0])) / level**2 * 1e4
