"""How the light on the scene differs from the light under which the empty scene was learned.

In the logarithm of the pixel values, exposure, white balance and lamps are a smooth surface that is
added to the picture. A quadratic surface per channel is fitted to the cells of a coarse grid by
iteratively reweighted least squares with Tukey's biweight (Huber & Ronchetti, Robust Statistics,
ch. 7), so that an item, which is no smooth surface, does not pull at it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float32]

# Beyond this many log units a cell is no longer the empty scene under another light.
_CUTOFF = 0.12
# With fewer inliers than this, the light has jumped and the search starts anew.
_MIN_INLIERS = 0.25
_NUM_BASIS = 6
# A cell's weight against the surface of the frame before: the tilt and bend of the light change
# slowly, its strength may flicker from frame to frame.
_INERTIA = np.diag([0.001, 0.05, 0.05, 0.1, 0.1, 0.1]).astype(np.float32)


class LightSurface:
    """A smooth change of light, per channel, followed from frame to frame."""

    def __init__(self, height_px: int, width_px: int) -> None:
        self.size = (max(8, width_px // 5), max(6, height_px // 5))
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
        if support.mean() < _MIN_INLIERS:
            support = np.ones_like(support)
        start = self._start(cells, support)
        for _ in range(2):
            start = self._refine(cells, support, start)
        self._coefficients = start
        return self._surface()

    def rebase(self, share: float) -> None:
        """Take `share` of the light away, since the empty scene has taken it over."""
        self._coefficients *= 1 - share

    def _surface(self) -> Grid:
        columns, rows = self.size
        grid = (self._basis @ self._coefficients).reshape(rows, columns, 3)
        height, width = self._shape
        return cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]

    def _start(self, cells: Grid, support: Grid) -> Grid:
        residual = cells - self._basis @ self._coefficients
        total = float(support.sum())
        if float(support @ _weights(residual)) >= _MIN_INLIERS * total:
            return self._coefficients
        jumped = self._coefficients.copy()
        jumped[0] += _mode(residual[support > 0])
        return jumped

    def _refine(self, cells: Grid, support: Grid, start: Grid) -> Grid:
        residual = cells - self._basis @ start
        weights = support * _weights(residual)
        weighted = self._basis * weights[:, None]
        inertia = _INERTIA * max(1.0, float(support.sum()))
        normal = weighted.T @ self._basis + inertia
        return np.asarray(start + np.linalg.solve(normal, weighted.T @ residual + inertia @ (self._coefficients - start)), np.float32)


def _weights(residual: Grid) -> Grid:
    """Tukey's biweight of each cell, (N,) 0..1."""
    squared = np.einsum("nc,nc->n", residual, residual) / (3 * _CUTOFF**2)
    return np.square(np.maximum(0, 1 - squared), dtype=np.float32)


def _mode(residual: Grid) -> Grid:
    """The commonest offset, (3,): the median of the cells around the peak of the brightness histogram."""
    brightness = residual.mean(axis=1)
    counts, edges = np.histogram(brightness, bins=96, range=(-2.4, 2.4))
    peak = int(np.argmax(np.convolve(counts, np.ones(3), "same")))
    near = (brightness >= edges[max(0, peak - 1)]) & (brightness <= edges[min(96, peak + 2)])
    return np.median(residual[near], axis=0) if near.any() else np.median(residual, axis=0)
