"""An item cut out of a photograph on plain ground."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Image

_WORK_SIDE_PX = 224
# Beyond these shares of the picture there is no ground left, or no item found.
_MIN_AREA, _MAX_AREA = 0.015, 0.85
# Standard deviations of the ground.
_DIFFERS = 4.0
# The convex hull stands for the item while it is at most this much larger than what was found of it.
_HULL_GROWTH = 1.6
# What is left when a picture cannot be cut: a sheet, without the rim where photographs fade.
_SHEET_RIM = 0.04


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """`image` (H, W, 3) uint8 RGB and `alpha` (H, W) float32 0..1, trimmed to the item."""

    image: Image
    alpha: NDArray[np.float32]
    label: str
    source: str


def cut_out(image: Image, label: str = "", source: str = "") -> Cutout:
    """The item in a photograph with plain ground; a picture that is all item becomes a flat sheet of it.

    The ground is modelled from the rim of the picture; what differs, and all that it encloses, is the
    item. (GrabCut from the same seeds eats white paper and clear plastic, which look like their ground.)
    """
    height, width = image.shape[:2]
    scale = min(1.0, _WORK_SIDE_PX / max(height, width))
    small: Image = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    mask = _enclosed(_differs_from_rim(small))
    if not _MIN_AREA <= float(mask.mean()) <= _MAX_AREA:
        mask = _sheet(mask.shape)
    alpha = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    alpha = np.clip((cv2.GaussianBlur(alpha, (0, 0), 1.2) - 0.3) / 0.5, 0, 1)  # a little inside of the true edge
    rows, columns = np.flatnonzero(alpha.max(axis=1) > 0.5), np.flatnonzero(alpha.max(axis=0) > 0.5)
    inside = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Cutout(image[inside], alpha[inside].astype(np.float32), label, source)


def _differs_from_rim(image: Image) -> NDArray[np.float32]:
    """(H, W) distance of each pixel from a plane of color fitted to the rim, in its standard deviations."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    height, width = lab.shape[:2]
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    basis = np.stack([np.ones_like(x), x, y], axis=-1).astype(np.float32)
    rim = np.ones((height, width), bool)
    border = max(3, min(height, width) // 24)
    rim[border:-border, border:-border] = False
    keep = rim.copy()
    distance = np.zeros((height, width), np.float32)
    for _ in range(4):
        plane, *_ = np.linalg.lstsq(basis[keep], lab[keep], rcond=None)
        residual = (lab - basis @ plane) * np.array([0.6, 1.5, 1.5], np.float32)  # shade counts less than hue
        distance = np.linalg.norm(residual, axis=-1)
        spread = float(np.median(distance[keep])) + 1.0
        keep = rim & (distance < 3 * spread)
        if keep.sum() < 50:
            break
    return (distance / spread).astype(np.float32)


def _enclosed(distance: NDArray[np.float32]) -> NDArray[np.bool_]:
    """What differs clearly from the ground, its gaps closed, as long as they are not the greater part."""
    mask = cv2.morphologyEx((distance > _DIFFERS).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max((cv2.contourArea(contour) for contour in contours), default=0.0)
    if largest == 0:
        return mask.astype(bool)
    parts = np.concatenate([contour for contour in contours if cv2.contourArea(contour) > 0.1 * largest])
    hull = cv2.convexHull(parts)
    filled = np.zeros_like(mask)
    if cv2.contourArea(hull) < _HULL_GROWTH * float(mask.sum()):
        cv2.fillConvexPoly(filled, hull, 1)
        return cv2.erode(filled, np.ones((3, 3), np.uint8)).astype(bool)
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25)))
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.astype(bool)


def _sheet(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, bool)
    rim_y, rim_x = max(1, round(shape[0] * _SHEET_RIM)), max(1, round(shape[1] * _SHEET_RIM))
    mask[rim_y:-rim_y, rim_x:-rim_x] = True
    return mask
