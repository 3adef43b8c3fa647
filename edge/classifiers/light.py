"""The light of one place, and undoing it: what looks white there is made white, where the ground is the one known.

A network that was trained in daylight loses points in a dim or colored light, and a camera whose white balance is
locked keeps it for good. Gains for each channel after the white-patch assumption: the brightest things that were seen
are white (Land and McCann 1971, "Lightness and retinex theory"). Pictures of other places are told by the ground around
their items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Image

Floats = NDArray[np.float32]

# The brightest part of each picture, and the brightest of all pictures, without highlights and single white items.
_BRIGHT, _BRIGHTEST = 98.0, 0.9
# What that becomes, and how far the noise of a dark picture may be raised.
_WHITE, _MIN_GAIN, _MAX_GAIN = 240.0, 0.5, 6.0
# The rim of a crop shows the ground; this share of its side.
_RIM_SHARE = 1 / 24
# Grounds are alike that differ by less, in log units: in brightness, since lamps age and exposures drift, and in color.
_AS_BRIGHT, _AS_COLORED = 0.25, 0.08
_DARK_LEVEL = np.float32(4.0)


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """What undoes the light of a place: `gains` (3,) by channel, where the ground is like one of `grounds` (N, 3).

    Grounds are logarithms of grey levels, by channel.
    """

    gains: Floats
    grounds: Floats

    def undo(self, image: Image) -> Image | None:
        """The crop (H, W, 3) as in white light; None where it shows another place."""
        if not len(self.grounds):
            return image
        if not _is_alike(self.grounds, ground_of(image)).any():
            return None
        levels = np.arange(256, dtype=np.float32)[:, None] * self.gains
        table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(image, table[None]), np.uint8)

    def share_told(self) -> float:
        """How many of its own grounds, 0..1, would be told from the others: few where the ground is not one."""
        told = [_is_alike(np.delete(self.grounds, index, axis=0), one).any() for index, one in enumerate(self.grounds)]
        return float(np.mean(told))


def _is_alike(grounds: Floats, ground: Floats) -> NDArray[np.bool_]:
    """Which of grounds (N, 3) are like one (3,), (N,)."""
    change = grounds - ground
    brighter = change.mean(axis=1, keepdims=True)
    is_alike: NDArray[np.bool_] = (np.abs(brighter[:, 0]) < _AS_BRIGHT) & (
        np.abs(change - brighter).max(axis=1) < _AS_COLORED
    )
    return is_alike


# Leaves every picture as it is, wherever it was taken.
PLAIN_LIGHT = Light(np.ones(3, np.float32), np.zeros((0, 3), np.float32))


def light_of(crops: Sequence[Image]) -> Light:
    """The light in which at least one crop was taken, (H, W, 3) uint8 RGB each."""
    # Every seventh pixel tells as much as all of them.
    bright = [np.percentile(crop.reshape(-1, 3)[::7], _BRIGHT, axis=0) for crop in crops]
    white = np.maximum(np.quantile(bright, _BRIGHTEST, axis=0), 1.0)
    gains = np.clip(_WHITE / white, _MIN_GAIN, _MAX_GAIN).astype(np.float32)
    return Light(gains, np.stack([ground_of(crop) for crop in crops]))


def ground_of(crop: Image) -> Floats:
    """What lies around the item, (3,): the median of the crop's rim, as `Light.grounds` has it."""
    height, width = crop.shape[:2]
    rows, columns = max(1, round(height * _RIM_SHARE)), max(1, round(width * _RIM_SHARE))
    sides = (crop[:rows], crop[-rows:], crop[rows:-rows, :columns], crop[rows:-rows, -columns:])
    rim = np.concatenate([side.reshape(-1, 3) for side in sides])
    ground: Floats = np.log(np.median(rim, axis=0) + _DARK_LEVEL).astype(np.float32)
    return ground
