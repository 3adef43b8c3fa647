"""Faults that only show in the pixels: a camera that repeats one picture, a black picture, one too dark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.cameras.liveliness import Liveliness
from edge.errors import BlackPictureError, CameraError, DarkPictureError, FrozenPictureError
from edge.messages import Image

# Every 8th pixel of every 8th row: 14,400 of a 1280x720 picture, 0.1 ms where the whole takes 0.4.
_STEP = 8

# A picture is lit when at least this share of its channel values lies above the level: a few hot
# pixels or a status LED's reflection do not light a scene.
_LIT_SHARE = 0.005


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """What is still a healthy picture. Levels are channel values, 0..255.

    `hands_out_repeats` is for sources whose healthy pictures can repeat to the bit, such as H.264 of a
    scene at rest; sensors have noise, and there a repeat is not a new picture. What those do when they are
    stuck, their liveliness tells.
    """

    frozen_after_s: float = 1.2
    dark_after_s: float = 1.2
    black_level: int = 16
    dark_level: int = 40
    hands_out_repeats: bool = False


class PictureWatch:
    """Follows the pictures of one opened device, in order; `liveliness` is what was learned of it before."""

    def __init__(self, limits: WatchLimits, liveliness: Liveliness | None = None) -> None:
        self._limits = limits
        self._liveliness = liveliness or Liveliness()
        self._liveliness.begin()
        self._last: Image | None = None
        self._last_sample: Image | None = None
        self._changed_at_s = 0.0
        self._dark_since_s: float | None = None

    def is_usable(self, image: Image, at_s: float) -> bool:
        """Whether the picture is known to be a new one, which differs from the one before, and shows something.

        A stuck camera that was reopened starts with its stuck picture, hence the first is none; a dark one gives
        dark ones again until that is known for a fault.

        Raises:
            FrozenPictureError: the same bytes have come for `frozen_after_s`, or as good as the same.
            BlackPictureError: nothing has been lit for `dark_after_s`.
            DarkPictureError: it has been too dark for `dark_after_s`.
        """
        sample = np.ascontiguousarray(image[::_STEP, ::_STEP])
        is_lit = self._check_light(sample, at_s)
        self._check_liveliness(sample, at_s)
        has_last, is_repeat = self._last is not None, self._is_repeat(image, sample)
        self._last, self._last_sample = image, sample
        if is_repeat:
            if at_s - self._changed_at_s >= self._limits.frozen_after_s:
                raise FrozenPictureError(
                    f"the camera repeats one picture, for {at_s - self._changed_at_s:.1f} s now:"
                    " reopen it, or take its power away"
                )
            return is_lit and self._limits.hands_out_repeats
        self._changed_at_s = at_s
        return is_lit and (has_last or self._limits.hands_out_repeats)

    def _is_repeat(self, image: Image, sample: Image) -> bool:
        if self._last is None or self._last_sample is None or not np.array_equal(sample, self._last_sample):
            return False
        return np.array_equal(image, self._last)

    def _check_liveliness(self, sample: Image, at_s: float) -> None:
        if self._last_sample is None or not self._limits.hands_out_repeats:
            return
        if self._liveliness.has_died(self._last_sample, sample, at_s):
            raise FrozenPictureError(
                "the camera sends one picture over and over, without a sensor's noise:"
                " reopen it, or take its power away"
            )

    def _check_light(self, sample: Image, at_s: float) -> bool:
        """Whether the picture is lit; raises when none was for too long."""
        if _is_lit(sample, self._limits.dark_level):
            self._dark_since_s = None
            return True
        if self._dark_since_s is None:
            self._dark_since_s = at_s
        if at_s - self._dark_since_s >= self._limits.dark_after_s:
            self._last = self._last_sample = None  # what comes after the dark is no repeat of what was before
            raise self._darkness(sample)
        return False

    def _darkness(self, sample: Image) -> CameraError:
        brightest = int(np.quantile(sample, 1 - _LIT_SHARE))
        if not _is_lit(sample, self._limits.black_level):
            return BlackPictureError(
                f"the picture is black (brightest value {brightest} of 255): is the lens covered, or the lamp off?"
            )
        return DarkPictureError(
            f"the picture is too dark (brightest value {brightest} of 255, expected above {self._limits.dark_level}):"
            " give light, or a longer exposure"
        )


def _is_lit(sample: Image, level: int) -> bool:
    return bool(np.count_nonzero(sample > level) >= _LIT_SHARE * sample.size)
