"""Pictures as a browser takes them."""

from __future__ import annotations

import cv2

from edge.messages import Image

JPEG_TYPE = "image/jpeg"

_QUALITY = 75


def small_jpeg(image: Image, width_px: int) -> bytes:
    """The picture, (H, W, 3) uint8 RGB, as a JPEG of at most `width_px`."""
    height, width = image.shape[:2]
    if width > width_px:
        size = (width_px, max(1, round(height * width_px / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    turned = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()
