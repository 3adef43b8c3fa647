"""The small picture on which presence works, and the way back to the frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2

from edge.errors import PictureError
from edge.messages import Box, Image
from edge.presence.settings import PresenceSettings, Region

# Below this many pixels across there is nothing to tell an item by, and OpenCV takes a row for something else.
_LEAST_SIDE_PX = 8


@dataclass(frozen=True, slots=True)
class View:
    """The region of interest of frames of one size, seen at `width_px` x `height_px`."""

    frame_shape: tuple[int, ...]
    region: Box
    width_px: int
    height_px: int

    @classmethod
    def of(cls, image: Image, settings: PresenceSettings) -> View:
        """The view of frames like `image`.

        Raises:
            PictureError: the region of interest is too small to see anything in.
        """
        height, width = image.shape[:2]
        share = settings.region
        left, top = math.floor(share.left * width), math.floor(share.top * height)
        region = Box(left, top, math.ceil(share.right * width) - left, math.ceil(share.bottom * height) - top)
        if min(region.width, region.height) < _LEAST_SIDE_PX:
            raise PictureError(
                f"{region.width}x{region.height} pixels in the region of interest of a picture of {width}x{height}:"
                f" too small to see an item in, expected at least {_LEAST_SIDE_PX} across"
            )
        scale = min(1.0, math.sqrt(settings.work_px / (region.width * region.height)))
        return cls(image.shape, region, max(1, round(region.width * scale)), max(1, round(region.height * scale)))

    def shrink(self, image: Image) -> Image:
        """The region at work size. Averages 16 camera pixels into one where there are enough.

        The bilinear step to twice the size costs a tenth of a box average over all pixels.
        """
        inside = _cut(image, self.region)
        if self.region.width > 2 * self.width_px:
            inside = cv2.resize(inside, (2 * self.width_px, 2 * self.height_px), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        return cv2.resize(inside, (self.width_px, self.height_px), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]

    def shrink_reference(self, reference: Image) -> Image:
        """The same for a picture that may have another size than the frames."""
        height, width = self.frame_shape[:2]
        if reference.shape != self.frame_shape:
            reference = cv2.resize(reference, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return self.shrink(reference)

    def to_frame(self, box: Box) -> Box:
        """A box of work pixels in pixels of the frame, rounded outwards."""
        scale_x, scale_y = self.region.width / self.width_px, self.region.height / self.height_px
        left, top = math.floor(box.x * scale_x), math.floor(box.y * scale_y)
        right, bottom = math.ceil((box.x + box.width) * scale_x), math.ceil((box.y + box.height) * scale_y)
        right, bottom = min(right, self.region.width), min(bottom, self.region.height)
        return Box(self.region.x + left, self.region.y + top, right - left, bottom - top)


def inside(image: Image, region: Region) -> Image:
    """What of a picture lies in the region of interest, at the picture's own size; a view of it.

    Raises:
        PictureError: as `View.of`.
    """
    return _cut(image, View.of(image, PresenceSettings(region=region)).region)


def _cut(image: Image, box: Box) -> Image:
    return image[box.y : box.y + box.height, box.x : box.x + box.width]
