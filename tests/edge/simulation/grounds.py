"""Empty scenes drawn from a seed: what bins are made of, when no photograph of one is at hand."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Image

Floats = NDArray[np.float32]
Render = Callable[[np.random.Generator, int, int], Floats]


def render_ground(name: str, rng: np.random.Generator, width_px: int, height_px: int) -> Image:
    """An empty scene (height_px, width_px, 3) uint8 RGB; `name` is one of GROUNDS."""
    picture = GROUNDS[name](rng, height_px, width_px)
    lamp = 1 + 0.25 * _blobs(rng, height_px, width_px, 0.5)[..., None]
    return np.clip(picture * lamp, 0, 255).astype(np.uint8)


def _blobs(rng: np.random.Generator, height: int, width: int, reach: float) -> Floats:
    """Smooth noise of about -1..1; `reach` is the size of its blobs as a share of the picture."""
    cells = max(2, round(1 / reach))
    coarse = rng.uniform(-1, 1, (cells + 1, cells + 1)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def _grain(rng: np.random.Generator, height: int, width: int, stretch_x: float, stretch_y: float) -> Floats:
    """Noise of standard deviation 1, drawn out along x or y."""
    noise = rng.standard_normal((height, width)).astype(np.float32)
    noise = np.asarray(
        cv2.GaussianBlur(noise, (0, 0), sigmaX=max(0.4, stretch_x), sigmaY=max(0.4, stretch_y)), dtype=np.float32
    )
    return noise / float(noise.std())


def _plain(rng: np.random.Generator, height: int, width: int, low: int, high: int) -> Floats:
    color = rng.uniform(low, high) + rng.uniform(-6, 6, 3)
    grain = _grain(rng, height, width, 1, 1) * rng.uniform(0.3, 1.5)
    ground: Floats = (color + grain[..., None]).astype(np.float32)
    return ground


def _dark(rng: np.random.Generator, height: int, width: int) -> Floats:
    return _plain(rng, height, width, 18, 45)


def _grey(rng: np.random.Generator, height: int, width: int) -> Floats:
    return _plain(rng, height, width, 90, 150)


def _white(rng: np.random.Generator, height: int, width: int) -> Floats:
    return _plain(rng, height, width, 205, 235)


def _cardboard(rng: np.random.Generator, height: int, width: int) -> Floats:
    color = np.array([178, 140, 100]) + rng.uniform(-18, 18)
    waves = np.sin(np.arange(height) * 2 * np.pi / rng.uniform(6, 14))[:, None, None] * rng.uniform(0.5, 3)
    fibre = _grain(rng, height, width, 6, 1)[..., None] * rng.uniform(1, 4)
    stain = _blobs(rng, height, width, 0.15)[..., None] * 5
    ground: Floats = (color + waves + fibre + stain).astype(np.float32)
    return ground


def _steel(rng: np.random.Generator, height: int, width: int) -> Floats:
    brushed = _grain(rng, height, width, 30, 0.6)[..., None] * rng.uniform(2, 6)
    glare = 45 * np.exp(-(((np.linspace(-1, 1, width) - rng.uniform(-0.6, 0.6)) / 0.35) ** 2))[None, :, None]
    ground: Floats = (rng.uniform(110, 160) + np.array([-2, 0, 3]) + brushed + glare).astype(np.float32)
    return ground


def _tiles(rng: np.random.Generator, height: int, width: int) -> Floats:
    side = int(rng.integers(28, 90))
    y, x = np.mgrid[0:height, 0:width] + rng.integers(0, side, 2)[:, None, None]
    even = ((y // side + x // side) % 2).astype(np.float32)[..., None]
    light, dark = rng.uniform(140, 220, 3), rng.uniform(60, 160, 3)
    ground: Floats = (even * light + (1 - even) * dark + _grain(rng, height, width, 1, 1)[..., None] * 2).astype(
        np.float32
    )
    return ground


def _wood(rng: np.random.Generator, height: int, width: int) -> Floats:
    bent = np.arange(height)[:, None] + 14 * _blobs(rng, height, width, 0.3)
    rings = np.sin(bent * 2 * np.pi / rng.uniform(12, 40))[..., None]
    color = np.array([150, 105, 65]) * rng.uniform(0.7, 1.35)
    ground: Floats = (color * (1 + 0.1 * rings) + _grain(rng, height, width, 20, 1)[..., None] * 4).astype(np.float32)
    return ground


def _speckled(rng: np.random.Generator, height: int, width: int) -> Floats:
    base = rng.uniform(60, 200, 3)
    specks = (_grain(rng, height, width, 1.5, 1.5) > 1.6)[..., None] * rng.uniform(-60, 60, 3)
    ground: Floats = (base + specks + _grain(rng, height, width, 0.6, 0.6)[..., None] * 2).astype(np.float32)
    return ground


def _colored(rng: np.random.Generator, height: int, width: int) -> Floats:
    """A plastic bin, in any color, with a wall that meets the floor in an edge."""
    color = rng.uniform(30, 210, 3)
    wall = np.ones((height, width, 1), np.float32)
    wall[: int(height * rng.uniform(0.1, 0.35))] = rng.uniform(0.6, 0.9)
    return (color * cv2.GaussianBlur(wall, (0, 0), 2)[..., None] + _grain(rng, height, width, 1, 1)[..., None]).astype(
        np.float32
    )


GROUNDS: dict[str, Render] = {
    "dark": _dark,
    "grey": _grey,
    "white": _white,
    "cardboard": _cardboard,
    "steel": _steel,
    "tiles": _tiles,
    "wood": _wood,
    "speckled": _speckled,
    "colored": _colored,
}
"""Every ground that can be drawn, by name."""
