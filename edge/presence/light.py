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

Grid = NDArray[np.float32]

# Side of a grid cell in work pixels.
CELL_PX = 5
# Beyond this many log units a cell is no longer the empty scene under another light.
_CUTOFF = 0.12
# The search after a jump starts wide, since the surface is not known yet.
_ANNEALED_CUTOFFS = (0.5, 0.3, 0.2, _CUTOFF, _CUTOFF)
# With fewer inliers than this the light may have jumped: try a fresh search too.
_FEW_INLIERS = 0.7
# A fresh surface must explain this much more than the followed one: a large item is no jump of light.
_CLEARLY_MORE = 1.25
_NUM_BASIS = 6
# Weights against the surface of the frame before: tilt and bend of the light change slowly, its
# strength may flicker from frame to frame.
_INERTIA = np.diag([0.001, 0.05, 0.05, 0.1, 0.1, 0.1]).astype(np.float32)
_RIDGE = np.diag([1e-4, 1e-3, 1e-3, 1e-2, 1e-2, 1e-2]).astype(np.float32)
# Share of the quadratic change that the local remainder may reach, and its reach in cells.
_LOCAL_SHARE = 0.5
_LOCAL_REACH = 4.0


class LightSurface:
    """A smooth change of light, per channel, followed from frame to frame."""

    def __init__(self, height_px: int, width_px: int) -> None:
        self.size = (max(8, width_px // CELL_PX), max(6, height_px // CELL_PX))
        """Columns and rows of the grid."""
        self._shape = (height_px, width_px)
        columns, rows = self.size
        y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
        basis = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
        self._basis: Grid = basis.reshape(-1, _NUM_BASIS).astype(np.float32)
        self._coefficients = np.zeros((_NUM_BASIS, 3), np.float32)

    def fit(self, difference: Grid, is_empty: NDArray[np.bool_]) -> Grid:
        """The light of this frame as (H, W, 3) float32 log units.

        Args:
            difference: (rows, columns, 3) log of the frame minus log of the empty scene.
            is_empty: (rows, columns) where nothing was seen in the frame before.
        """
        cells = difference.reshape(-1, 3)
        support = is_empty.ravel().astype(np.float32)
        followed = self._coefficients
        for _ in range(2):
            followed = self._refine(cells, support, followed, _CUTOFF, _INERTIA)
        explained = float(self._weights(cells, followed, _CUTOFF).mean())
        self._coefficients = followed
        if explained < _FEW_INLIERS:
            fresh = self._search(cells)
            if float(self._weights(cells, fresh, _CUTOFF).mean()) > _CLEARLY_MORE * explained:
                self._coefficients = fresh
        return self._surface(cells)

    def rebase(self, share: float) -> None:
        """Take `share` of the light away, since the empty scene has taken it over."""
        self._coefficients *= 1 - share

    def _surface(self, cells: Grid) -> Grid:
        columns, rows = self.size
        quadratic = self._basis @ self._coefficients
        grid = quadratic + self._local(cells - quadratic, np.abs(quadratic) * _LOCAL_SHARE)
        height, width = self._shape
        return cv2.resize(grid.reshape(rows, columns, 3), (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]

    def _local(self, residual: Grid, limit: Grid) -> Grid:
        columns, rows = self.size
        local = np.zeros_like(residual)
        for cutoff in (3 * _CUTOFF, 2 * _CUTOFF, _CUTOFF):
            weights = _tukey(residual - local, cutoff)[:, None]
            stacked = np.concatenate([residual * weights, weights], axis=1, dtype=np.float32).reshape(rows, columns, 4)
            smooth = cv2.GaussianBlur(stacked, (0, 0), _LOCAL_REACH, borderType=cv2.BORDER_REFLECT).reshape(-1, 4)
            local = smooth[:, :3] / (smooth[:, 3:] + 0.02)
            local = np.clip(local, -limit, limit)
        return local

    def _search(self, cells: Grid) -> Grid:
        found = np.zeros_like(self._coefficients)
        found[0] = _mode(cells)
        everywhere = np.ones(len(cells), np.float32)
        for cutoff in _ANNEALED_CUTOFFS:
            found = self._refine(cells, everywhere, found, cutoff, _RIDGE)
        return found

    def _refine(self, cells: Grid, support: Grid, start: Grid, cutoff: float, inertia: Grid) -> Grid:
        """One step of reweighted least squares, held back towards the followed surface by `inertia`."""
        weights = support * self._weights(cells, start, cutoff)
        weighted = self._basis * weights[:, None]
        held = inertia * len(cells)
        normal = weighted.T @ self._basis + held
        anchor = self._coefficients if inertia is _INERTIA else start
        solved: Grid = np.linalg.solve(normal, weighted.T @ cells + held @ anchor)
        return solved

    def _weights(self, cells: Grid, coefficients: Grid, cutoff: float) -> Grid:
        return _tukey(cells - self._basis @ coefficients, cutoff)


def _tukey(residual: Grid, cutoff: float) -> Grid:
    """Tukey's biweight of each cell, (N,) 0..1, from its (N, 3) residual."""
    squared = np.einsum("nc,nc->n", residual, residual) / (3 * cutoff**2)
    return np.square(np.maximum(0, 1 - squared), dtype=np.float32)


def _mode(residual: Grid) -> Grid:
    """The commonest offset, (3,): the median of the cells around the peak of the brightness histogram."""
    brightness = residual.mean(axis=1)
    counts, edges = np.histogram(brightness, bins=96, range=(-2.4, 2.4))
    peak = int(np.argmax(np.convolve(counts, np.ones(3), "same")))
    near = (brightness >= edges[max(0, peak - 1)]) & (brightness <= edges[min(96, peak + 2)])
    offset: Grid = np.median(residual[near] if near.any() else residual, axis=0)
    return offset
