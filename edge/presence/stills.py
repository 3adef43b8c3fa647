"""Finding the item in a single picture, as the loop finds it in frames."""

from __future__ import annotations

import cv2
import numpy as np

from edge.messages import Box, Frame, Image, Phase
from edge.presence import PresenceDetector, PresenceSettings

_RATE_HZ = 12.0
# Shapes within this share of each other are of one camera, perhaps at another size.
_SAME_SHAPE = 0.02


class StillFinder:
    """Finds what lies on a known empty scene, `background` (H, W, 3) uint8 RGB, in pictures of that scene."""

    def __init__(self, settings: PresenceSettings, background: Image) -> None:
        self._settings = settings
        self._background = background

    def shows_scene(self, image: Image) -> bool:
        """Whether a picture can be one of the whole scene: it has the scene's shape. Crops rarely do."""
        (height, width), (own_height, own_width) = image.shape[:2], self._background.shape[:2]
        return bool(abs(width * own_height / (height * own_width) - 1) < _SAME_SHAPE)

    def box_in(self, image: Image) -> Box | None:
        """Where the item lies in a picture of the scene; None where it must be taken whole, as crops must."""
        return self.find(image) if self.shows_scene(image) else None

    def find(self, image: Image) -> Box | None:
        """Where the one item lies, None where nothing lies or several things do.

        The picture is shown for as long as an item must lie still to count, after the empty scene.
        """
        presence = PresenceDetector(self._settings, self._background)
        height, width = image.shape[:2]
        presence.update(Frame(0, 0.0, _sized(self._background, width, height)))
        longest_s = max(self._settings.settle_s, self._settings.arm_settle_s)
        for sequence in range(1, int(longest_s * _RATE_HZ) + 4):
            seen = presence.update(Frame(sequence, sequence / _RATE_HZ, image))
            if seen.phase is Phase.SETTLED:
                return seen.box
            if seen.phase is Phase.EMPTY and sequence > 1:
                return None
        return None


def _sized(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
