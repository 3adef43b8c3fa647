"""Pictures as other cameras, lamps and hands would have made them.

Pure numpy and OpenCV on (H, W, 3) uint8 RGB; all chance comes from the generator that is passed in, so
that a picture of an epoch is the same whatever thread makes it. 3 to 6 ms a picture at 224 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Image, InputSpec, resize
from train.pictures.foreground import Cutout, Mask
from train.recipes import Augment

Rng = np.random.Generator
Lend = Callable[[Rng], Image]
"""Draws the picture whose corner becomes a ground."""

# How much of the lamps' range a plain picture gets.
_PLAIN_LIGHT = 0.4

# The cut's edge is softened by a blur of this range: the network would learn to see sharp ones.
_FEATHER_PX = (0.4, 1.5)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A picture to draw from, its item, whether one may see through such items, and whether it stays on its ground.

    A picture without an outline stays where it is unless its class comes as sheets: laid elsewhere it would be a card
    with a photograph on it.
    """

    image: Image
    cutout: Cutout
    is_clear: bool = False
    keeps_ground: bool = False


def shrunk(image: Image, shorter_px: float) -> Image:
    """The picture in its own aspect ratio, its shorter side `shorter_px`; itself where that is no longer."""
    height, width = image.shape[:2]
    scale = shorter_px / min(height, width)
    if scale >= 1:
        return image
    return resize(image, InputSpec(max(1, round(height * scale)), max(1, round(width * scale))))


def augment(source: Source, others: Sequence[Source], size_px: int, ranges: Augment, rng: Rng) -> Image:
    """One new (size_px, size_px, 3) picture of the source's item; `others` lend their grounds."""
    # No draw without plain pictures: recipes from before the share existed keep their chance, and so their weights.
    if ranges.plain_share and _chance(rng, ranges.plain_share):
        plain = plain_ranges(ranges)
        return relight(warp(source.image, frame(source, size_px, plain, rng), size_px, plain, rng), plain, rng)
    matrix = frame(source, size_px, ranges, rng)
    image = warp(source.image, matrix, size_px, ranges, rng)
    if _chance(rng, ranges.background_share) and not source.keeps_ground:
        mask = warp_mask(source, matrix, size_px)
        ground = random_ground(size_px, size_px, lambda rng: others[int(rng.integers(len(others)))].image, rng)
        image = lay_on(image, mask, ground, source, ranges, rng)
    image = relight(image, ranges, rng)
    return degrade(image, ranges, rng)


@cache
def plain_ranges(ranges: Augment) -> Augment:
    """The ranges for a picture as its photographer took it: whole, its own ground, nearly its own light."""
    light = ("white_balance", "exposure_stops", "contrast", "gamma", "saturation")
    milder = {name: _PLAIN_LIGHT * getattr(ranges, name) for name in light}
    absent = dict.fromkeys(("square_share", "aspect", "shadow_share", "dim_share"), 0.0)
    return ranges.model_copy(update={**milder, **absent})


def lay_on(image: Image, mask: Mask, ground: Image, source: Source, ranges: Augment, rng: Rng) -> Image:
    """The item on another ground, with the shadow it casts there; through clear items the new ground shines."""
    size = image.shape[0]
    alpha = cv2.GaussianBlur(mask, (0, 0), rng.uniform(*_FEATHER_PX)).astype(np.float32) / 255
    if _chance(rng, ranges.cast_shadow_share):
        away = size * rng.uniform(-0.06, 0.06, 2)
        moved = cv2.warpAffine(mask, np.array([[1, 0, away[0]], [0, 1, away[1]]]), (size, size))
        softness = 2 * round(size * rng.uniform(0.025, 0.12)) + 1
        shade = cv2.stackBlur(moved, (softness, softness)).astype(np.float32)
        ground = _shaded(ground, 1 - shade * np.float32(rng.uniform(0.1, 0.5) / 255))
    if source.is_clear and _chance(rng, ranges.translucent_share):
        # Light that crosses the item takes the item's tint and carries the new ground.
        through = ground * np.minimum(image / np.maximum(source.cutout.ground, 32), 1.3)
        image = np.clip(image + np.float32(rng.uniform(0.2, 0.8)) * (through - image), 0, 255).astype(np.uint8)
    return cv2.blendLinear(image, ground, alpha, 1 - alpha)  # type: ignore[return-value]


def _shaded(image: Image, shade: NDArray[np.float32]) -> Image:
    """The picture with each pixel's light multiplied by `shade` (H, W)."""
    return cv2.multiply(image, cv2.merge([shade, shade, shade]), dtype=cv2.CV_8U)  # type: ignore[return-value]


# How often each kind of ground is drawn: belts, tables and chute floors mostly are nearly plain.
_GROUND_SHARES = {"patch": 0.25, "plain": 0.35, "grained": 0.25, "striped": 0.15}
# Now and then two grounds meet: a belt's edge, a wall and a floor.
_SEAM_SHARE = 0.15


def random_ground(height: int, width: int, lend: Lend, rng: Rng) -> Image:
    """A ground of the given size: a patch of a lent picture, nearly plain, grained or striped, or two of these."""
    ground = _one_ground(height, width, lend, rng)
    if not _chance(rng, _SEAM_SHARE):
        return ground
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.4, 0.4)
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
    is_beyond = x * np.cos(angle) + y * np.sin(angle) > offset
    return np.where(is_beyond[..., np.newaxis], _one_ground(height, width, lend, rng), ground)


def _one_ground(height: int, width: int, lend: Lend, rng: Rng) -> Image:
    kind = rng.choice(list(_GROUND_SHARES), p=list(_GROUND_SHARES.values()))
    if kind == "patch":
        return _patch(lend(rng), height, width, rng)
    blend = _stripes(height, width, rng) if kind == "striped" else _clouds(height, width, rng)
    if kind == "plain":
        blend *= np.float32(rng.uniform(0, 0.4))
    first, second = random_color(rng), random_color(rng)
    grain = np.float32(rng.uniform(0, 6)) * rng.standard_normal((height, width), np.float32)
    # A channel at a time: numpy is several times faster over a whole plane than over three interleaved ones.
    planes = (low + blend * (high - low) + grain for low, high in zip(first, second, strict=True))
    merged: Image = cv2.merge([np.clip(plane, 0, 255).astype(np.uint8) for plane in planes])
    return merged


def random_color(rng: Rng) -> NDArray[np.float32]:
    """Mostly grays from black to white, now and then a color; (3,) RGB in 0..255."""
    value = rng.uniform(0, 255)
    spread = rng.choice([6.0, 25.0, 70.0], p=[0.5, 0.3, 0.2])
    return np.clip(value + rng.normal(0, spread, 3), 0, 255).astype(np.float32)


def _clouds(height: int, width: int, rng: Rng) -> NDArray[np.float32]:
    """Smooth noise of several grain sizes, 0..1."""
    total = np.zeros((height, width), np.float32)
    for cells in rng.choice([2, 4, 8, 16, 48, 96], size=3, replace=False):
        noise = rng.random((cells, cells), dtype=np.float32)
        total += cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR) / np.float32(3)
    return total


def _stripes(height: int, width: int, rng: Rng) -> NDArray[np.float32]:
    """Streaks in one direction, as in wood, brushed metal and belts, 0..1."""
    is_upright = _chance(rng, 0.5)
    along, across = (height, width) if is_upright else (width, height)
    coarse = rng.random((1, int(rng.integers(4, 64))), dtype=np.float32)
    streaks = cv2.resize(coarse, (across, 1)).reshape(1, across).astype(np.float32)
    field = np.repeat(streaks, along, axis=0)
    return field if is_upright else field.T.copy()


def _patch(image: Image, height: int, width: int, rng: Rng) -> Image:
    """A corner of another picture, enlarged: real grain and light, with little of its item."""
    share = rng.uniform(0.15, 0.4)
    rows, columns = max(8, int(image.shape[0] * share)), max(8, int(image.shape[1] * share))
    y = 0 if _chance(rng, 0.5) else image.shape[0] - rows
    x = 0 if _chance(rng, 0.5) else image.shape[1] - columns
    return cv2.resize(image[y : y + rows, x : x + columns], (width, height), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def frame(source: Source, size_px: int, ranges: Augment, rng: Rng) -> NDArray[np.float64]:
    """The (2, 3) map from output to source pixels: the whole picture squashed, or a square around the item.

    The square is what a bin's camera crops; there the item has its natural width, `widen_max` at most times the
    stored one.
    """
    height, width = source.image.shape[:2]
    center = np.array([width / 2, height / 2])
    extent = np.array([width, height], np.float64)
    if _chance(rng, ranges.square_share):
        cutout, widen = source.cutout, np.exp(rng.uniform(0, np.log(ranges.widen_max)))
        side = max(cutout.width * width * widen, cutout.height * height)
        side *= 1 + 2 * rng.uniform(ranges.square_margin_min, ranges.square_margin_max)
        extent = np.array([side / widen, side])
        center = np.array([(cutout.x + cutout.width / 2) * width, (cutout.y + cutout.height / 2) * height])
    extent = extent * rng.uniform(ranges.zoom_min, ranges.zoom_max)
    extent = extent * np.exp(rng.uniform(-ranges.aspect, ranges.aspect) * np.array([0.5, -0.5]))
    center = center + extent * rng.uniform(-ranges.shift, ranges.shift, 2)
    angle = np.deg2rad(rng.uniform(-ranges.rotation_deg, ranges.rotation_deg))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # Output pixel to source pixel. Turned after squashing, so that squashed items are seen at every angle.
    matrix = np.diag(extent / size_px) @ turn @ _flip_and_shear(ranges, rng)
    offset = center - matrix @ np.full(2, (size_px - 1) / 2) - 0.5
    return np.column_stack([matrix, offset])


def _flip_and_shear(ranges: Augment, rng: Rng) -> NDArray[np.float64]:
    # As in `augment`: what is off draws no chance, except the flip, which was always drawn.
    mirror = rng.choice([-1.0, 1.0])
    horizontal = 1.0 if ranges.flips == "none" else mirror
    vertical = rng.choice([-1.0, 1.0]) if ranges.flips == "both" else 1.0
    shear = np.deg2rad(rng.uniform(-ranges.shear_deg, ranges.shear_deg)) if ranges.shear_deg else 0.0
    change: NDArray[np.float64] = np.diag([horizontal, vertical]) @ [[1.0, -np.sin(shear)], [0.0, np.cos(shear)]]
    return change


def warp(image: Image, matrix: NDArray[np.float64], size_px: int, ranges: Augment, rng: Rng) -> Image:
    """The picture under the map from output to source; beyond the picture its border goes on, smeared or mirrored."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    is_mirrored = _chance(rng, 0.5) and ranges.fill == "varied"
    border = cv2.BORDER_REFLECT_101 if is_mirrored else cv2.BORDER_REPLICATE
    return cv2.warpAffine(image, matrix, (size_px, size_px), flags=flags, borderMode=border)  # type: ignore[return-value]


def warp_mask(source: Source, matrix: NDArray[np.float64], size_px: int) -> Mask:
    """The item's mask (size_px, size_px) 0..255 under the same map; beyond the picture there is no item."""
    mask = source.cutout.mask
    scale = np.array([mask.shape[1] / source.image.shape[1], mask.shape[0] / source.image.shape[0]])
    scaled = matrix * scale[:, np.newaxis]
    scaled[:, 2] += 0.5 * scale - 0.5  # pixel centers
    return cv2.warpAffine(mask, scaled, (size_px, size_px), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)  # type: ignore[return-value]


def relight(image: Image, ranges: Augment, rng: Rng) -> Image:
    """Another lamp: white balance, exposure, gamma, contrast, saturation; now and then a dim one, or a shadow."""
    gains = np.exp(rng.uniform(-ranges.white_balance, ranges.white_balance, 3))
    stops = rng.uniform(-ranges.exposure_stops, ranges.exposure_stops)
    if ranges.dim_share and _chance(rng, ranges.dim_share):
        stops -= rng.uniform(0, ranges.dim_stops)
    gains *= 2**stops / gains.mean()
    levels = np.linspace(0, 1, 256)[:, np.newaxis] ** np.exp(rng.uniform(-ranges.gamma, ranges.gamma))
    levels = 0.5 + (levels * gains - 0.5) * np.exp(rng.uniform(-ranges.contrast, ranges.contrast))
    if ranges.channel_shift:
        levels = levels + rng.uniform(-ranges.channel_shift, ranges.channel_shift, 3) / 255
    table = np.clip(levels * 255, 0, 255).astype(np.uint8)[:, np.newaxis, :]
    image = cv2.LUT(image, table)  # type: ignore[assignment]
    strength = 1 + rng.uniform(-ranges.saturation, ranges.saturation)
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    image = cv2.addWeighted(image, strength, gray, 1 - strength, 0)  # type: ignore[assignment]
    if _chance(rng, ranges.shadow_share):
        height, width = image.shape[:2]
        coarse = rng.uniform(0.35, 1.15, (3, 3)).astype(np.float32)
        image = _shaded(image, cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))  # type: ignore[arg-type]
    return image


def degrade(image: Image, ranges: Augment, rng: Rng) -> Image:
    """A cheaper camera, farther away: few pixels, blur, noise, JPEG; now and then something lies in front of a part."""
    size = image.shape[0]
    if _chance(rng, ranges.erase_share):
        image = _erase(image, rng)
    if _chance(rng, ranges.coarse_share):
        # An item that fills a tenth of a frame has fewer pixels than the network takes: the crop is enlarged.
        side = round(size * np.exp(rng.uniform(np.log(ranges.coarse_min), 0)))
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    if _chance(rng, ranges.blur_share):
        sigma = rng.uniform(0.3, max(0.3, ranges.blur_sigma_px))
        image = cv2.GaussianBlur(image, (0, 0), sigma)  # type: ignore[assignment]
    if _chance(rng, ranges.noise_share):
        noise = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0, ranges.noise_sigma))
        image = cv2.add(image, noise, dtype=cv2.CV_8U)  # type: ignore[assignment]
    if _chance(rng, ranges.jpeg_share):
        quality = int(rng.integers(ranges.jpeg_quality_min, 96))
        _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1]  # type: ignore[assignment,index]
    if image.shape[0] != size:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    return np.ascontiguousarray(image)


def _erase(image: Image, rng: Rng) -> Image:
    """A plain rectangle over up to a tenth of the picture, after Zhong et al. 2017, arXiv:1708.04896."""
    size = image.shape[0]
    height, width = (int(size * rng.uniform(0.1, 0.33)) for _ in range(2))
    y, x = (int(rng.uniform(-length / 2, size - length / 2)) for length in (height, width))
    erased = image.copy()
    erased[max(y, 0) : y + height, max(x, 0) : x + width] = random_color(rng)
    return erased


def _chance(rng: Rng, share: float) -> bool:
    return bool(rng.random() < share)
