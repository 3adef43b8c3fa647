"""The stripes of a lamp on mains current or pulses under a rolling shutter: a gain that differs from row to row.

Rows are exposed one after the other, so that such a lamp lies over the picture as dark and light stripes, which wander
from frame to frame. A row's gain is what most of the empty scene in it agrees on. Where the light is steady nothing is
taken away: of a wide item that agreement would take a part.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.presence.planes import Floats, Mask, brightness

# Columns of the grid that a row's gain is taken from.
_NUM_COLUMNS = 16
# Stripes wander, in all columns alike: the typical row has another gain so many frames later, by this much in the
# median of the last looks, log units. Once seen they are taken away until there is hardly any change left. (Light of
# 100 Hz is where it was after 6 frames at 12, 15, 24 and 30 frames a second.)
_LATER, _NUM_LOOKS = 7, 18
_BEGINS, _ENDS = 0.008, 0.005
# Fainter ones are borne without it, and wide items are the better for it; stronger ones are none. Log units.
# How strong they are is the median of so many frames.
_WORTH, _MOST, _NUM_STRENGTHS = 0.07, 0.3, 5
# A cell that differs more than so many times what the stripes do, and this, shows an item; log units.
_STRONGEST, _NOISE = 1.5, 0.03
# The strength of the stripes is taken over from scenes without an item, with this share of each.
_TAKEN_OVER = 0.05
# Of 255: a cell with more foreground than this shows an item.
_ITEM_CELL = 26
# Where fewer cells of a row are empty, its gain is that of the rows around it.
_FEWEST = 2


class Stripes:
    """Follows the gain of each row of work pixels from frame to frame."""

    def __init__(self, height_px: int) -> None:
        self._size = (_NUM_COLUMNS, height_px)
        self._earlier: deque[Floats] = deque(maxlen=_LATER)
        self._changes: deque[float] = deque(maxlen=_NUM_LOOKS)
        self._strengths: deque[float] = deque(maxlen=_NUM_STRENGTHS)
        self._strength: float | None = None

    def of(self, change: Floats, light: Floats, foreground: Mask) -> Floats | None:
        """The gain of each row, (H, 1, 3) log units; None where the light is steady.

        Args:
            change: (H, W, 3) log of the frame minus log of the empty scene.
            light: (H, W, 3) what of the change was a smooth surface in the frame before.
            foreground: (H, W) what was seen in the frame before.
        """
        cells: Floats = cv2.resize(change, self._size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        typical = self._typical_change(brightness(cells))
        if typical < (_BEGINS if self._strength is None else _ENDS):
            self._strength = None
            self._strengths.clear()
            return None
        cells -= cv2.resize(light, self._size, interpolation=cv2.INTER_AREA)
        if self._strength is None:
            self._strengths.append(_strength(np.median(cells, axis=1)))
            typical_strength = float(np.median(self._strengths))
            if len(self._strengths) < _NUM_STRENGTHS or typical_strength < _WORTH:
                return None
            self._strength = typical_strength
        is_empty = cv2.resize(foreground, self._size, interpolation=cv2.INTER_AREA) < _ITEM_CELL
        is_striped = np.abs(cells).max(axis=2) < _STRONGEST * self._strength + _NOISE
        gains = _medians(cells, is_empty & is_striped)
        if is_empty.all():
            self._strength += _TAKEN_OVER * (_strength(gains) - self._strength)
        return gains[:, None]

    def _typical_change(self, cells: Floats) -> float:
        """By how much the gain of the typical row in cells (H, N) changes; 0 before enough was seen."""
        if len(self._earlier) == _LATER:
            change = cells - self._earlier[0]
            # Something that moves leaves a column as it was; what changes in all rows alike is the light.
            of_rows = np.take_along_axis(change, np.abs(change).argmin(axis=1)[:, None], axis=1)
            self._changes.append(float(np.median(np.abs(of_rows - np.median(of_rows)))))
        self._earlier.append(cells)
        return sorted(self._changes)[_NUM_LOOKS // 2] if len(self._changes) == _NUM_LOOKS else 0.0


def _strength(gains: Floats) -> float:
    """How far the gains (H, 3) swing: a wave is beyond 0.71 of that in every other row."""
    of_rows = gains.mean(axis=1)
    return min(_MOST, float(np.median(np.abs(of_rows - np.median(of_rows)))) / 0.71)


def _medians(cells: Floats, is_ground: NDArray[np.bool_]) -> Floats:
    """The median of those cells of each row that show the ground, (H, 3) of (H, N, 3)."""
    num = is_ground.sum(axis=1)
    in_order = np.sort(np.where(is_ground[..., None], cells, np.float32(np.inf)), axis=1)
    rows = np.arange(len(cells))
    medians = (in_order[rows, np.maximum(num - 1, 0) // 2] + in_order[rows, num // 2 % cells.shape[1]]) / 2
    known = rows[num >= _FEWEST]
    if len(known) == 0:
        return np.zeros_like(medians)
    if len(known) < len(rows):
        medians = np.stack([np.interp(rows, known, medians[known, channel]) for channel in range(3)], axis=-1)
    return medians.astype(np.float32)  # type: ignore[no-any-return]
