"""Pictures from a browser: opened when they are what they claim."""

from __future__ import annotations

import contextlib
import struct
import zlib

import cv2
import numpy as np
import pytest

from edge.errors import PictureError
from edge.web.uploads import open_upload

IMAGE = np.zeros((37, 53, 3), np.uint8)
IMAGE[..., 2] = 200  # red, as OpenCV orders it

FORMATS = {
    "jpeg": (".jpg", []),
    "progressive jpeg": (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    "png": (".png", []),
    "webp": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 80]),
    "lossless webp": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]),
    "bmp": (".bmp", []),
}


def encoded(name: str) -> bytes:
    suffix, options = FORMATS[name]
    return cv2.imencode(suffix, IMAGE, options)[1].tobytes()


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises that many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def held(orientation: int) -> bytes:
    """A JPEG that says how the camera was held; EXIF 2.32, 4.6.2 and 4.6.4."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
    jpeg = encoded("jpeg")
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_stands_upright_however_the_telephone_was_held(orientation: int) -> None:
    height, width = (37, 53) if orientation < 5 else (53, 37)
    assert open_upload(held(orientation)).shape == (height, width, 3)


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_opened(name: str) -> None:
    image = open_upload(encoded(name))
    assert image.shape == (37, 53, 3)
    assert image[..., 0].mean() > 150 > image[..., 2].mean(), "RGB"


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (2**31, 2**31), (16_000_001, 1)])
def test_a_picture_that_would_unfold_to_gigabytes_is_refused_by_its_header(width: int, height: int) -> None:
    with pytest.raises(PictureError, match="at most 16 megapixels"):
        open_upload(png_claiming(width, height))


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"<svg/>", b"\xff\xd8", b"\xff\xd8\xff\xe0\0\x10", b"RIFF1234WEBP"]
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(PictureError, match=r"cannot be opened: (not a JPEG|truncated|damaged)"):
        open_upload(content)


@pytest.mark.parametrize("name", FORMATS)
def test_a_picture_that_breaks_off_is_refused_or_opened_but_nothing_worse(name: str) -> None:
    whole = encoded(name)
    for length in range(0, len(whole), 7):
        with contextlib.suppress(PictureError):
            assert open_upload(whole[:length]).shape == (37, 53, 3)
