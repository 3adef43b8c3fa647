"""How the light on the scene differs from the light under which the empty scene was learned.

In the logarithm of the pixel values, exposure, white balance and lamps are a smooth surface that is
added to the picture. A quadratic surface per channel is fitted to the cells of a coarse grid by
iteratively reweighted least squares with Tukey's biweight (Huber & Ronchetti, Robust Statistics,
ch. 7), so that an item, which is no smooth surface, does not pull at it. What light does beyond a
quadratic is smoothed from the cells nearby, in proportion to how much the light has changed at all:
under steady light a pale item on pale ground stays visible.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.presence.planes import Floats

# Side of a grid cell in work pixels.
CELL_PX = 8
# Beyond this many log units a cell is no longer the empty scene under another light.
_CUTOFF = 0.12
# The search after a jump starts wide, since the surface is not known yet.
_ANNEALED_CUTOFFS = (0.5, 0.3, 0.2, _CUTOFF, _CUTOFF)
# When the cells agree this well with the surface of the frame before, one step of the fit is enough.
_AGREED = 0.9
# With fewer inliers than this the light may have jumped: try a fresh search too.
_FEW_INLIERS = 0.7
# A fresh surface must explain this much more than the followed one: a large item is no jump of light.
_CLEARLY_MORE = 1.25
# Weights against the surface of the frame before, for the terms 1, x, y, xy, x2, y2: tilt and bend of
# the light change slowly, its strength may flicker from frame to frame.
_INERTIA = np.diag([0.001, 0.05, 0.05, 0.1, 0.1, 0.1]).astype(np.float32)
_FREEDOM = np.diag([1e-4, 1e-3, 1e-3, 1e-2, 1e-2, 1e-2]).astype(np.float32)
# Share of the quadratic change that the local remainder may reach, and its reach in cells.
_LOCAL_SHARE = 0.5
_LOCAL_REACH = (7, 7)
# Below this many log units the local remainder is less than the noise, and not worth its time.
_LOCAL_WORTH = 0.02


class LightSurface:
    """A smooth change of light, per channel, followed from frame to frame."""

    def __init__(self, height_px: int, width_px: int) -> None:
        self.size = (max(8, width_px // CELL_PX), max(6, height_px // CELL_PX))
        """Columns and rows of the grid."""
        self._shape = (height_px, width_px)
        columns, rows = self.size
        y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
        basis = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
        self._basis: Floats = basis.reshape(rows * columns, -1).astype(np.float32)
        self._coefficients = np.zeros((self._basis.shape[1], 3), np.float32)

    def fit(self, difference: Floats, is_empty: NDArray[np.bool_]) -> Floats:
        """The light of this frame as (H, W, 3) float32 log units.

        Args:
            difference: (rows, columns, 3) log of the frame minus log of the empty scene.
            is_empty: (rows, columns) where nothing was seen in the frame before.
        """
        cells = difference.reshape(-1, 3)
        weights = self._weights(cells, self._coefficients, _CUTOFF)
        support = is_empty.reshape(-1)
        followed = self._solve(cells, weights * support, self._coefficients, _INERTIA)
        if float(weights.mean()) < _AGREED:
            weights = self._weights(cells, followed, _CUTOFF)
            followed = self._solve(cells, weights * support, self._coefficients, _INERTIA)
        self._coefficients = self._or_fresh(cells, followed, float(weights.mean()))
        return self._surface(cells)

    def rebase(self, share: float) -> None:
        """Take `share` of the light away, since the empty scene has taken it over."""
        self._coefficients *= 1 - share

    def _or_fresh(self, cells: Floats, followed: Floats, explained: float) -> Floats:
        """The followed surface, or one found anew when that explains clearly more of the picture."""
        if explained >= _FEW_INLIERS:
            return followed
        fresh = self._coefficients * 0
        fresh[0] = _mode(cells)
        for cutoff in _ANNEALED_CUTOFFS:
            fresh = self._solve(cells, self._weights(cells, fresh, cutoff), fresh, _FREEDOM)
        explained = float(self._weights(cells, followed, _CUTOFF).mean())
        fresh_explained = float(self._weights(cells, fresh, _CUTOFF).mean())
        return fresh if fresh_explained > _CLEARLY_MORE * explained else followed

    def _surface(self, cells: Floats) -> Floats:
        columns, rows = self.size
        grid = self._basis @ self._coefficients
        limit = np.abs(grid) * _LOCAL_SHARE
        if float(limit.max()) > _LOCAL_WORTH:
            grid += self._local(cells - grid, limit)
        height, width = self._shape
        return cv2.resize(grid.reshape(rows, columns, 3), (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]

    def _local(self, residual: Floats, limit: Floats) -> Floats:
        """What the cells nearby say beyond the quadratic, up to `limit`; both (N, 3)."""
        columns, rows = self.size
        local = np.zeros_like(residual)
        stacked = np.empty((len(residual), 4), np.float32)
        for cutoff in (3 * _CUTOFF, _CUTOFF):
            stacked[:, 3] = _tukey(residual - local, cutoff)
            np.multiply(residual, stacked[:, 3:], out=stacked[:, :3])
            smooth = cv2.blur(stacked.reshape(rows, columns, 4), _LOCAL_REACH).reshape(-1, 4)
            # Where hardly a cell agrees, the remainder fades to nothing.
            local = np.clip(smooth[:, :3] / (smooth[:, 3:] + 0.02), -limit, limit)
        return local

    def _solve(self, cells: Floats, weights: Floats, anchor: Floats, inertia: Floats) -> Floats:
        """The surface of least weighted squares, held towards `anchor` by `inertia`."""
        weighted = (self._basis * weights[:, None]).T
        held = inertia * np.float32(len(cells))
        return np.asarray(np.linalg.solve(weighted @ self._basis + held, weighted @ cells + held @ anchor), np.float32)

    def _weights(self, cells: Floats, coefficients: Floats, cutoff: float) -> Floats:
        return _tukey(cells - self._basis @ coefficients, cutoff)


def _tukey(residual: Floats, cutoff: float) -> Floats:
    """Tukey's biweight of each cell, (N,) 0..1, from its (N, 3) residual."""
    squared = np.einsum("nc,nc->n", residual, residual) / np.float32(3 * cutoff**2)
    return np.asarray(np.square(np.maximum(0, 1 - squared)), np.float32)


def _mode(difference: Floats) -> Floats:
    """The commonest change of light, (3,): the median of the cells around the peak of the histogram."""
    change = difference.mean(axis=1)
    counts, edges = np.histogram(change, bins=96, range=(-2.4, 2.4))
    peak = int(np.argmax(np.convolve(counts, np.ones(3), "same")))
    near = (change >= edges[max(0, peak - 1)]) & (change <= edges[min(96, peak + 2)])
    return np.asarray(np.median(difference[near] if near.any() else difference, axis=0), np.float32)
