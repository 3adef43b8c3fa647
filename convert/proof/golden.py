"""Golden pictures: drawn by this module, and small, so that every bundle can carry its own proof.

They only have to excite the network in different ways; what is drawn need not be a class of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from edge.errors import StorageError
from edge.preprocess import Image, InputSpec

_SIDE = 256  # pixels of the square that everything is drawn on, before it takes the input's size


def golden_pictures(spec: InputSpec) -> Mapping[str, Image]:
    """Name to picture, (height_px, width_px, 3) uint8 RGB of exactly the input's size."""
    size = (spec.width_px, spec.height_px)
    return {
        name: cv2.resize(draw(), size, interpolation=cv2.INTER_LINEAR_EXACT)  # type: ignore[misc]
        for name, draw in _DRAWINGS.items()
    }


def encode_png(image: Image) -> bytes:
    """An RGB picture as PNG, without loss."""
    is_encoded, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not is_encoded:
        raise StorageError(f"OpenCV could not encode a picture of {image.shape} as PNG")
    return encoded.tobytes()


def _table(top: int, bottom: int) -> Image:
    """A table that grows darker towards the front."""
    shade = np.linspace(top, bottom, _SIDE).astype(np.uint8)
    return np.repeat(np.repeat(shade[:, None], _SIDE, axis=1)[..., None], 3, axis=2)


def _cylinder(left: int, right: int, darkest: int, brightest: int) -> Image:
    """Columns lit from the upper left, as a round surface is."""
    across = np.linspace(-1.0, 1.0, right - left)
    light = darkest + (brightest - darkest) * np.clip(np.cos(2.0 * (across + 0.35)), 0, 1)
    return np.repeat(light.astype(np.uint8)[None, :, None], 3, axis=2)


def _can() -> Image:
    image = _table(214, 168)
    image[60:210, 88:168] = _cylinder(88, 168, 70, 240)
    image[95:160, 88:168, 1:] //= 3  # a red band
    cv2.ellipse(image, (128, 60), (40, 10), 0, 0, 360, (205, 207, 210), -1, cv2.LINE_AA)
    cv2.ellipse(image, (128, 210), (40, 10), 0, 0, 180, (90, 92, 95), -1, cv2.LINE_AA)
    return image


def _bottle() -> Image:
    image = _table(236, 190)
    body = np.array([[108, 40], [148, 40], [150, 80], [172, 112], [172, 226], [84, 226], [84, 112], [106, 80]])
    cv2.fillPoly(image, [body], (44, 120, 74), cv2.LINE_AA)
    cv2.line(image, (98, 118), (98, 216), (150, 214, 172), 5, cv2.LINE_AA)
    cv2.rectangle(image, (106, 26), (150, 42), (214, 178, 60), -1)
    return image


def _sheet() -> Image:
    image = _table(120, 84)
    corners = np.array([[52, 70], [196, 48], [214, 196], [66, 214]])
    cv2.fillPoly(image, [corners], (238, 236, 228), cv2.LINE_AA)
    for line in range(6):
        cv2.line(image, (76, 92 + 18 * line), (186, 76 + 18 * line), (96, 96, 110), 2, cv2.LINE_AA)
    return image


def _box() -> Image:
    image = _table(58, 40)
    cv2.fillPoly(image, [np.array([[48, 96], [150, 82], [150, 212], [48, 206]])], (176, 134, 88), cv2.LINE_AA)
    cv2.fillPoly(image, [np.array([[150, 82], [210, 104], [210, 196], [150, 212]])], (130, 96, 62), cv2.LINE_AA)
    cv2.fillPoly(image, [np.array([[48, 96], [112, 66], [210, 104], [150, 82]])], (198, 156, 106), cv2.LINE_AA)
    return image


_DRAWINGS: Mapping[str, Callable[[], Image]] = {"can": _can, "bottle": _bottle, "sheet": _sheet, "box": _box}
