"""The empty scene: what it looks like, how much it varies, and what differs from it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.presence.light import LightSurface
from edge.presence.settings import PresenceSettings

Floats = NDArray[np.float32]
Mask = NDArray[np.uint8]

# Added to pixel values before the logarithm: keeps the noise of dark pixels from exploding.
_DARK_LEVEL = 10.0
# Sensor and JPEG noise after averaging 16 camera pixels, in grey levels, never taken for smaller.
_NOISE_LEVELS = 1.2
# What the smooth light surface cannot explain: log units, and share of the change of light.
_LIGHT_ERROR = 0.012
_LIGHT_ERROR_SHARE = 0.12
# A scene that varies more than this is not learned as noise, log units.
_MAX_NOISE = 0.1
# A shadow without an object of its own darkens down to this, log units: 0.5 is 60 % of the light.
_SHADOW_DEPTH = 0.5
_BRIGHTNESS = np.full((1, 3), 1 / 3, np.float32)
_SUM = np.ones((1, 3), np.float32)
_SQUARE3 = np.ones((3, 3), np.uint8)
_LOG_TABLE = np.log(np.arange(256, dtype=np.float32) + _DARK_LEVEL)


def to_log(work: NDArray[np.uint8]) -> Floats:
    """(H, W, 3) float32 log picture of an (H, W, 3) uint8 one."""
    return cv2.LUT(work, _LOG_TABLE)  # type: ignore[return-value]


def brightness(log_picture: Floats) -> Floats:
    """(H, W) mean over the channels."""
    return cv2.transform(log_picture, _BRIGHTNESS)  # type: ignore[return-value]


def gradient(plane: Floats) -> Floats:
    """(H, W) gradient magnitude per pixel of an (H, W) plane."""
    across = cv2.Sobel(plane, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(plane, cv2.CV_32F, 0, 1, scale=1 / 8)
    return cv2.magnitude(across, down)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """One frame held against the empty scene, all (H, W) float32.

    `score` is in standard deviations of the empty scene; `relit` (H, W, 3) is the frame as it would
    look under the empty scene's light, log units; `edges` is its gradient magnitude.
    """

    score: Floats
    relit: Floats
    edges: Floats


class Background:
    """The learned empty scene under a light that changes."""

    def __init__(self, log_picture: Floats, variance: Floats | None, settings: PresenceSettings) -> None:
        height, width = log_picture.shape[:2]
        self._settings = settings
        self._mean = log_picture.copy()
        self._variance = np.zeros((height, width), np.float32) if variance is None else variance
        self._light = LightSurface(height, width)
        self._surface = np.zeros_like(self._mean)
        self._residual = np.zeros_like(self._mean)
        self._derive()

    @property
    def edges(self) -> Floats:
        """(H, W) gradient magnitude of the empty scene."""
        return self._edges

    def compare(self, log_picture: Floats, foreground: Mask) -> Difference:
        """Hold a frame against the empty scene; `foreground` is what was seen in the frame before."""
        size = self._light.size
        raw = cv2.subtract(log_picture, self._mean)
        grid = cv2.resize(raw, size, interpolation=cv2.INTER_AREA)
        is_empty = cv2.resize(foreground, size, interpolation=cv2.INTER_AREA) < 26
        self._surface = self._light.fit(grid, is_empty)  # type: ignore[arg-type]
        self._residual = cv2.subtract(raw, self._surface)  # type: ignore[assignment]
        relit: Floats = cv2.subtract(log_picture, self._surface)  # type: ignore[assignment]
        inside = cv2.min(cv2.max(relit, self._low), self._high)
        excess: Floats = cv2.subtract(relit, inside)  # type: ignore[assignment]
        edges = gradient(brightness(relit))
        return Difference(self._score(excess, edges), relit, edges)

    def follow(self, elapsed_s: float, foreground: Mask) -> None:
        """Take over the light everywhere, and the picture where nothing lies."""
        share = min(1.0, elapsed_s / self._settings.adapt_s)
        outside = cv2.bitwise_not(foreground)
        cv2.accumulateWeighted(cv2.add(self._mean, self._residual), self._mean, share, mask=outside)
        squared = cv2.multiply(brightness(self._residual), brightness(self._residual))
        cv2.accumulateWeighted(cv2.min(squared, _MAX_NOISE**2), self._variance, share / 2, mask=outside)
        cv2.scaleAdd(self._surface, share, self._mean, self._mean)
        self._light.rebase(share)
        self._derive()

    def absorb(self, relit: Floats, foreground: Mask) -> None:
        """Make what lies under `foreground` part of the empty scene."""
        cv2.copyTo(relit, foreground, self._mean)
        self._derive()

    def is_ghost(self, foreground: Mask, difference: Difference) -> bool:
        """Whether the rim of the foreground is an edge of the empty scene rather than of the frame.

        So it is when something that was learned as part of the empty scene has been taken away.
        """
        rim = cv2.morphologyEx(foreground, cv2.MORPH_GRADIENT, _SQUARE3)
        before, now = cv2.mean(self._edges, rim)[0], cv2.mean(difference.edges, rim)[0]
        return before > 2.0 * now + 0.01

    def _score(self, excess: Floats, edges: Floats) -> Floats:
        mean = brightness(excess)
        total = cv2.transform(cv2.multiply(excess, excess), _SUM)
        brightness_part = cv2.multiply(mean, mean, scale=3)
        color = cv2.subtract(total, brightness_part)
        not_shadow = cv2.max(mean, cv2.subtract(-_SHADOW_DEPTH, mean))
        not_shadow = cv2.max(not_shadow, 0)
        lit = cv2.multiply(not_shadow, not_shadow, scale=3)
        new_edges = cv2.max(cv2.subtract(edges, self._edges_near), 0)
        edge_part = cv2.multiply(new_edges, new_edges, scale=3)
        evidence = cv2.add(cv2.add(color, lit), edge_part)
        change = brightness(cv2.absdiff(self._surface, 0.0))
        noise = cv2.add(self._noise, cv2.multiply(change, change, scale=_LIGHT_ERROR_SHARE**2))
        return cv2.sqrt(cv2.blur(cv2.divide(evidence, noise), (3, 3)))  # type: ignore[return-value]

    def _derive(self) -> None:
        """What follows from mean and variance: bounds that forgive a shift by one work pixel, edges, noise."""
        self._low = cv2.erode(self._mean, _SQUARE3)
        self._high = cv2.dilate(self._mean, _SQUARE3)
        plane = brightness(self._mean)
        self._edges: Floats = gradient(plane)
        self._edges_near = cv2.dilate(self._edges, _SQUARE3)
        floor = cv2.exp(cv2.multiply(plane, -1.0), None)
        noise = cv2.multiply(floor, floor, scale=_NOISE_LEVELS**2)
        self._noise = cv2.add(cv2.add(noise, self._variance), _LIGHT_ERROR**2)
