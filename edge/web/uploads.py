"""Pictures from a browser, opened only when they are as small as they claim: a few bytes can unfold to gigabytes."""

from __future__ import annotations

import cv2
import numpy as np

from edge.errors import PictureError
from edge.files.picture_headers import facts_in
from edge.messages import Image
from edge.preprocess import decode_picture

# 48 MB as RGB, and about twice that while a progressive JPEG is decoded: what a device can spare beside its loop.
MAX_UPLOAD_PIXELS = 16_000_000
MAX_UPLOAD_BYTES = 8 * 1024 * 1024


def open_upload(encoded: bytes) -> Image:
    """The picture as (H, W, 3) uint8 RGB, upright by its EXIF tag; what is transparent lies on white.

    Raises:
        PictureError: it is no JPEG, PNG, WebP or BMP, is damaged, or has more than MAX_UPLOAD_PIXELS.
    """
    facts = facts_in(encoded)
    num_pixels = facts.width_px * facts.height_px
    if num_pixels == 0:
        raise PictureError(f"the picture cannot be opened: {facts.defect or 'it has no pixels'}")
    if num_pixels > MAX_UPLOAD_PIXELS:
        raise PictureError(
            f"expected at most {MAX_UPLOAD_PIXELS // 1_000_000} megapixels, "
            f"found {facts.width_px}x{facts.height_px}: scale it down"
        )
    try:
        image = decode_picture(np.frombuffer(encoded, np.uint8))
    except cv2.error:
        image = None  # what OpenCV says of damaged headers means nothing to an owner
    if image is None:
        raise PictureError("the picture is damaged: expected a whole JPEG, PNG, WebP or BMP")
    return image
