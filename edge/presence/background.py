"""The empty scene: what it looks like, how much it varies, and what differs from it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.presence.ghosts import is_ghost
from edge.presence.light import LightSurface
from edge.presence.planes import (
    SQUARE3,
    Floats,
    Mask,
    brightness,
    energy,
    gradient,
    minus,
    plus,
    positive,
    squared,
)
from edge.presence.stripes import Stripes

# Sensor and JPEG noise after averaging 16 camera pixels, in grey levels, never taken for smaller.
_NOISE_LEVELS = 1.2
# What the smooth light surface cannot explain: log units, and share of the change of light.
_LIGHT_ERROR = 0.012
_LIGHT_ERROR_SHARE = 0.12
# How far the camera may be from where it was when the scene was learned: work pixels, one standard
# deviation. Each edge of the scene is as uncertain as that.
_REGISTRATION_PX = 1.0
_SQUARE5 = np.ones((5, 5), np.uint8)
# A scene that varies more than this is not learned as noise, log units.
_MAX_NOISE = 0.1
# A shadow without an object of its own darkens down to this, log units: 0.5 is 60 % of the light.
_SHADOW_DEPTH = 0.5
# With less than a third of its light a picture shows noise; log units. The brightest pixels tell it, one in so many
# of all: a dark item leaves some ground to be seen.
_DARKENED, _BRIGHTEST = 1.2, 20
# The empty scene is brought up to date this often, seconds: what follows from it costs as much as a frame.
_UPDATE_S = 0.3
# Of 255: a grid cell with less foreground than this counts as empty.
_EMPTY_CELL = 26
# A camera was pushed when a shift by at most this share of the picture leaves at most this share of
# the difference unexplained.
_MAX_PUSH, _FAR_BETTER = 0.1, 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """One frame held against the empty scene.

    `score` (H, W) is in standard deviations of the empty scene, and `doubt` (H, W) 0..1 is the share of
    these that comes from edges that may have moved; `relit` (H, W, 3) is the frame as it
    would look under the empty scene's light, log units; `shade` (H, W) is its brightness and `edges`
    (H, W) the gradient magnitude of that; `change` (H, W) is the brightness beyond the empty scene's.
    """

    score: Floats
    doubt: Floats
    relit: Floats
    shade: Floats
    edges: Floats
    change: Floats


class Background:
    """The learned empty scene under a light that changes.

    Args:
        mean: (H, W, 3) log picture of the empty scene.
        variance: (H, W) of its noise in squared log units, zeros when it is not known.
        adapt_s: time constant with which the scene is kept up to date, seconds.
    """

    def __init__(self, mean: Floats, variance: Floats, adapt_s: float) -> None:
        self._mean, self._variance, self._adapt_s = mean.copy(), variance.copy(), adapt_s
        self._light = LightSurface(*mean.shape[:2])
        self._stripes = Stripes(mean.shape[0])
        self._gains: Floats | None = None
        self._surface = np.zeros_like(mean)
        self._residual = np.zeros_like(mean)
        self._waiting_s = 0.0
        self._derive()

    @property
    def light(self) -> float:
        """How far the light of the newest frame was from the scene's own, mean of all pixels, log units."""
        return float(np.abs(self._surface).mean())

    def light_change(self, log_picture: Floats) -> Floats:
        """How much brighter a frame is than the scene, in each of a few cells, (N,) log units."""
        cells: Floats = cv2.resize(log_picture, self._light.size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return brightness(minus(cells, self._cells)).ravel()

    def compare(self, log_picture: Floats, foreground: Mask) -> Difference:
        """Hold a frame against the empty scene; `foreground` is what was seen in the frame before."""
        size = self._light.size
        change = minus(log_picture, self._mean)
        self._gains = self._stripes.of(change, self._surface, foreground)
        if self._gains is not None:
            log_picture, change = log_picture - self._gains, change - self._gains
        is_empty = cv2.resize(foreground, size, interpolation=cv2.INTER_AREA) < _EMPTY_CELL
        self._surface = self._light.fit(cv2.resize(change, size, interpolation=cv2.INTER_AREA), is_empty)  # type: ignore[arg-type]
        self._residual = minus(change, self._surface)
        relit = minus(log_picture, self._surface)
        shade = brightness(relit)
        edges = gradient(shade)
        evidence, noise = self._evidence(relit, edges), self._noise_of_light()
        # Only an edge that is still there may have moved: one that has gone is covered, or taken away.
        remaining = cv2.min(self._edges_near, cv2.dilate(edges, _SQUARE5))
        misplaced = squared(remaining, _REGISTRATION_PX**2)  # type: ignore[arg-type]
        noise = plus(noise, misplaced)
        # A blur keeps running sums, whose rounding leaves less than nothing here and there.
        score = cv2.sqrt(positive(cv2.blur(cv2.divide(evidence, noise), (3, 3))))  # type: ignore[arg-type]
        return Difference(score, cv2.divide(misplaced, noise), relit, shade, edges, brightness(self._residual))  # type: ignore[arg-type]

    def follow(self, elapsed_s: float, foreground: Mask) -> None:
        """Take over the light everywhere, and the picture where nothing lies."""
        self._waiting_s += elapsed_s
        if self._waiting_s < _UPDATE_S:
            return
        share = min(0.5, self._waiting_s / self._adapt_s)
        self._waiting_s = 0.0
        outside = cv2.bitwise_not(foreground)
        cv2.accumulateWeighted(plus(self._mean, self._residual), self._mean, share, mask=outside)
        spread: Floats = np.minimum(squared(brightness(self._residual)), _MAX_NOISE**2)
        cv2.accumulateWeighted(spread, self._variance, share / 2, mask=outside)
        cv2.scaleAdd(self._surface, share, self._mean, self._mean)
        if self._gains is not None:
            cv2.accumulateWeighted(self._mean + self._gains, self._mean, share, mask=outside)
        self._light.rebase(share)
        self._derive()

    def is_darkened(self, log_picture: Floats) -> bool:
        """Whether even the brightest parts have lost their light: a lamp that fails, a frame that is black."""
        return _brightest(log_picture) < self._own_brightest - _DARKENED

    def absorb(self, relit: Floats, foreground: Mask) -> None:
        """Make what lies under `foreground` part of the empty scene."""
        cv2.copyTo(relit, foreground, self._mean)
        self._derive()

    def is_ghost(self, foreground: Mask, relit: Floats) -> bool:
        """Whether what stands out is the place of something that was learned, and has been taken away."""
        return is_ghost(foreground, self._mean, relit)

    def realign(self, difference: Difference) -> bool:
        """Follow a camera that was pushed. True when a moved scene explains the frame far better."""
        (x_px, y_px), _ = cv2.phaseCorrelate(self._edges, difference.edges)
        height, width = self._edges.shape
        if max(abs(x_px) / width, abs(y_px) / height) > _MAX_PUSH:
            return False
        push = np.array([[1, 0, x_px], [0, 1, y_px]], np.float32)
        # What has come into view at the rim is taken as it is.
        moved = difference.relit.copy()
        cv2.warpAffine(self._mean, push, (width, height), moved, borderMode=cv2.BORDER_TRANSPARENT)
        unexplained = float(np.abs(difference.relit - moved).mean())
        if unexplained > _FAR_BETTER * float(np.abs(self._residual).mean()):
            return False
        self._mean = moved
        self._derive()
        return True

    def _evidence(self, relit: Floats, edges: Floats) -> Floats:
        """Color, light and edges that the empty scene has not, in squared log units.

        Darkening down to _SHADOW_DEPTH counts for nothing by itself: a shadow does that.
        """
        excess: Floats = minus(relit, cv2.min(cv2.max(relit, self._low), self._high))  # type: ignore[arg-type]
        shift = brightness(excess)
        color = minus(energy(excess), squared(shift, 3))
        lit = positive(np.maximum(shift, -_SHADOW_DEPTH - shift))
        new_edges = positive(minus(edges, self._edges_near))
        return positive(plus(plus(color, squared(lit, 3)), squared(new_edges, 3)))

    def _noise_of_light(self) -> Floats:
        """Squared log units: the sensor's noise, and what the surface leaves of a change of light."""
        return plus(self._noise, squared(brightness(np.abs(self._surface)), _LIGHT_ERROR_SHARE**2))

    def _derive(self) -> None:
        """Bounds that forgive a shift by one work pixel, edges and noise, from mean and variance."""
        self._own_brightest = _brightest(self._mean)
        self._cells: Floats = cv2.resize(self._mean, self._light.size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        self._low = cv2.erode(self._mean, SQUARE3)
        self._high = cv2.dilate(self._mean, SQUARE3)
        shade = brightness(self._mean)
        self._edges = gradient(shade)
        self._edges_near: Floats = cv2.dilate(self._edges, _SQUARE5)  # type: ignore[assignment]
        # One grey level in log units is one over the pixel's value.
        levels: Floats = np.exp(-2 * shade)
        self._noise = plus(_NOISE_LEVELS**2 * levels, self._variance + np.float32(_LIGHT_ERROR**2))


def _brightest(log_picture: Floats) -> float:
    """The brightness that one pixel in _BRIGHTEST exceeds, log units; by every fourth one."""
    some = brightness(log_picture[::2, ::2].copy()).ravel()
    return float(np.partition(some, -len(some) // _BRIGHTEST)[-len(some) // _BRIGHTEST])
