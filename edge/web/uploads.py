"""Pictures from a browser, opened only when they are as small as they claim: a few bytes can unfold to gigabytes."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from edge.errors import PictureError
from edge.messages import Image

# 48 MB as RGB, and about twice that while a progressive JPEG is decoded: what a device can spare beside its loop.
MAX_UPLOAD_PIXELS = 16_000_000
MAX_UPLOAD_BYTES = 8 * 1024 * 1024

_PNG = b"\x89PNG\r\n\x1a\n"
# Frame headers of JPEG: all of C0..CF but the tables DHT (C4), JPG (C8) and DAC (CC). ITU T.81, table B.1.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def open_upload(encoded: bytes) -> Image:
    """The picture as (H, W, 3) uint8 RGB, upright by its EXIF tag.

    Raises:
        PictureError: it is no JPEG, PNG or WebP, is damaged, or has more than MAX_UPLOAD_PIXELS.
    """
    size = declared_size(encoded)
    if size is None:
        raise PictureError("expected a JPEG, PNG or WebP picture, found something else")
    if size[0] * size[1] > MAX_UPLOAD_PIXELS:
        raise PictureError(
            f"expected at most {MAX_UPLOAD_PIXELS // 1_000_000} megapixels, found {size[0]}x{size[1]}: scale it down"
        )
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None  # what OpenCV says of damaged headers means nothing to an owner
    if image is None:
        raise PictureError("the picture is damaged: expected a whole JPEG, PNG or WebP")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def declared_size(encoded: bytes) -> tuple[int, int] | None:
    """Width and height in pixels as the header gives them; None when it is none of the three formats."""
    try:
        if encoded.startswith(_PNG):
            return struct.unpack_from(">II", encoded, 16)
        if encoded.startswith(b"\xff\xd8"):
            return _jpeg_size(encoded)
        if encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP":
            return _webp_size(encoded)
    except struct.error:
        pass  # it ends inside its header
    return None


def _jpeg_size(encoded: bytes) -> tuple[int, int] | None:
    position = 2
    while encoded[position : position + 1] == b"\xff":
        marker = encoded[position + 1 : position + 2]
        if marker == b"\xff":  # filling
            position += 1
            continue
        (length,) = struct.unpack_from(">H", encoded, position + 2)
        if marker and marker[0] in _JPEG_FRAMES:
            height_px, width_px = struct.unpack_from(">HH", encoded, position + 5)
            return width_px, height_px
        position += 2 + length
    return None


def _webp_size(encoded: bytes) -> tuple[int, int] | None:
    kind = encoded[12:16]
    if kind == b"VP8X":  # two numbers of 24 bits, each less by one
        low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", encoded, 24)
        return 1 + low_w + (high_w << 16), 1 + low_h + (high_h << 16)
    if kind == b"VP8L":  # two numbers of 14 bits, each less by one
        (bits,) = struct.unpack_from("<I", encoded, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", encoded, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
