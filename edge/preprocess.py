"""The only definition of crop, resize and color order, for training, conversion, calibration and device.

A picture is (H, W, 3) uint8 RGB everywhere; the network's own rescaling lives inside the model. A
model trained on one interpolation and fed another loses points without a word, hence one place.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from edge.errors import MissingInputError, PictureError
from edge.messages import Box, Image, InputSpec

__all__ = [
    "CROP_MARGIN",
    "MAX_PICTURE_PIXELS",
    "PICTURE_SUFFIXES",
    "Image",
    "InputSpec",
    "crop",
    "cut_to",
    "decode_picture",
    "load_picture",
    "resize",
    "square_around",
    "to_input",
    "turned",
]

# Around the box found by presence, as a share of its longer side. Foreground masks nibble at edges,
# and a network trained on photographs expects some ground around the item.
CROP_MARGIN = 0.15

_TURNS = {1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}

# What `load_picture` reads; Windows saves a JPEG from the web as .jfif.
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp"})

# A 100-megapixel picture is 300 MB of pixels: more than a device should spend on one picture. `edge` tells OpenCV so,
# which then refuses a larger one by its header, in words with this in them.
MAX_PICTURE_PIXELS = 100_000_000
_BEYOND_OPENCV = "CV_IO_MAX_IMAGE"

_BAND = 256  # rows that are blended at once: weights take eight bytes a pixel, and a picture may have 100 million
# A palette, which may have transparent colors; grayscale, and RGB, with a channel of its own. PNG 1.2, section 4.1.1.
_PNG_COLORS_WITH_ALPHA = (3, 4, 6)


def resize(image: Image, spec: InputSpec) -> Image:
    """The picture at the network's size, as a new (height_px, width_px, 3) uint8 array.

    Shrinks by whole factors with a box average first, so that nothing aliases, then to the exact size
    with bit-exact bilinear weights: the plain INTER_LINEAR differs between x86 and ARM in 14 % of
    pixels, LINEAR_EXACT in none.
    """
    height, width = image.shape[:2]
    step_y, step_x = max(1, height // spec.height_px), max(1, width // spec.width_px)
    if step_y > 1 or step_x > 1:
        # The box average wants whole multiples; what is cut off is less than one step wide.
        whole = image[: height - height % step_y, : width - width % step_x]
        reduced = (whole.shape[1] // step_x, whole.shape[0] // step_y)
        image = cv2.resize(whole, reduced, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    size = (spec.width_px, spec.height_px)
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR_EXACT)  # type: ignore[return-value]


def square_around(box: Box, width_px: int, height_px: int, margin: float = CROP_MARGIN) -> Box:
    """The box with its margin, widened to a square where the frame of that size has room for it.

    >>> square_around(Box(100, 100, 100, 50), 640, 480, margin=0.0)
    Box(x=100, y=75, width=100, height=100)
    >>> square_around(Box(0, 0, 100, 50), 640, 480, margin=0.0)
    Box(x=0, y=0, width=100, height=100)
    """
    side = round(max(box.width, box.height) * (1 + 2 * margin))
    width, height = min(side, width_px), min(side, height_px)
    x = round(box.x + box.width / 2 - width / 2)
    y = round(box.y + box.height / 2 - height / 2)
    return Box(min(max(x, 0), width_px - width), min(max(y, 0), height_px - height), width, height)


def crop(image: Image, box: Box) -> Image:
    """A view of `image` inside `box`, clipped to the picture."""
    return image[max(box.y, 0) : box.y + box.height, max(box.x, 0) : box.x + box.width]


def to_input(image: Image, spec: InputSpec, box: Box | None = None, num_turns: int = 0) -> Image:
    """What the network sees: the item in its square with margin, or the whole picture without a box; `turned`."""
    return turned(resize(cut_to(image, box), spec), num_turns)


def cut_to(image: Image, box: Box | None) -> Image:
    """A view of the item in its square with margin, at the picture's own size; the whole picture without a box."""
    if box is None:
        return image
    height, width = image.shape[:2]
    return crop(image, square_around(box, width, height))


def turned(picture: Image, times: int) -> Image:
    """The picture turned clockwise by so many quarters; one that is no square by halves, so that it keeps its shape.

    What lies in a bin has no up, and a network errs another way each time: the mean over a picture and its quarter turn
    cuts the log loss by 6 to 9 %, that over a picture and its mirror image by 4 % at most (`tests.bench.views`).
    """
    height, width = picture.shape[:2]
    quarters = (times if height == width else 2 * times) % 4
    return cv2.rotate(picture, _TURNS[quarters]) if quarters else picture  # type: ignore[return-value]


def load_picture(path: Path) -> Image:
    """A picture file as (H, W, 3) uint8 RGB, turned upright by its EXIF tag.

    Grayscale and 16-bit pictures are converted; what is transparent lies on white, as browsers and prints show it.

    Raises:
        MissingInputError: there is no such file.
        PictureError: the file is not a picture that OpenCV can decode, or is beyond MAX_PICTURE_PIXELS.
    """
    if path.is_dir():
        raise MissingInputError(f"{path} is a folder: expected a picture in it, such as {path}/*.jpg")
    if not path.is_file():
        raise MissingInputError(f"no picture at {path}: expected a file such as photo.jpg")
    try:
        encoded = np.fromfile(path, dtype=np.uint8)
        image = decode_picture(encoded) if encoded.size else None
    except cv2.error as error:
        if _BEYOND_OPENCV in str(error):
            raise PictureError(
                f"{path} has too many pixels: scale it below {MAX_PICTURE_PIXELS:,} pixels first"
            ) from None
        image = None  # what OpenCV says of damaged headers means nothing to an owner
    if image is None:
        raise PictureError(
            f"{path} cannot be read as a picture ({path.stat().st_size} bytes): expected JPEG, PNG, WebP or BMP"
        )
    if image.shape[0] * image.shape[1] > MAX_PICTURE_PIXELS:
        raise PictureError(
            f"{path} has {image.shape[1]}x{image.shape[0]} pixels: scale it below {MAX_PICTURE_PIXELS:,} pixels first"
        )
    return image


def decode_picture(encoded: NDArray[np.uint8]) -> Image | None:
    """The bytes of a picture as `load_picture` gives its file; None where OpenCV finds no picture in them.

    Raises:
        cv2.error: what its header says cannot be.
    """
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    if image is None:
        return None
    if _may_be_transparent(encoded):
        _lay_on_white(image, encoded)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def _may_be_transparent(encoded: NDArray[np.uint8]) -> bool:
    """Whether its header has room for it: a PNG with alpha or a palette, or a WebP."""
    beginning = encoded[:26].tobytes()
    is_such_png = beginning.startswith(b"\x89PNG") and beginning[25] in _PNG_COLORS_WITH_ALPHA
    return is_such_png or beginning.startswith(b"RIFF")


def _lay_on_white(image: MatLike, encoded: NDArray[np.uint8]) -> None:
    """Have the decoded picture as its alpha shows it: below it any color may be hidden, black in most."""
    whole = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if whole is None or whole.shape != (*image.shape[:2], 4):
        return
    most = np.float32(np.iinfo(whole.dtype.name).max)
    for top in range(0, len(image), _BAND):
        band, alpha = image[top : top + _BAND], whole[top : top + _BAND, :, 3] / most
        image[top : top + _BAND] = cv2.blendLinear(band, np.full_like(band, 255), alpha, 1 - alpha)
