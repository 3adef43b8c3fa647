"""Where the item is in a photograph: all that cannot be reached from the rim without crossing an edge.

Color alone loses white paper on a white table and clear bottles, and takes shadows for items; but paper and
bottles have outlines, and shadows have soft ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Image

Floats = NDArray[np.float32]
Mask = NDArray[np.uint8]

_WORK_SIDE_PX = 192
# Gradients of the smoothed picture that may make an edge, CIELAB units a pixel: tried from faint to strong, since
# white paper has faint ones and a grained table has many.
_EDGES = (4.0, 6.0, 9.0, 14.0)
# CIELAB distance in hue from the ground that no shadow has.
_OTHER_HUE = 12.0
# Lightness counts less than hue where ground is told from item: shadows change it.
_WEIGHTS = np.array([0.6, 1.5, 1.5], np.float32)
# Ground that is cut off from the rest holds at least this share of the ground-like rim.
_MIN_GROUND = 0.03
# Parts smaller than this share of the largest are crumbs and reflections.
_MIN_PART = 0.15
# Beyond these shares of the picture there is no ground left, or no item found.
_MIN_AREA, _MAX_AREA = 0.015, 0.85
# Of an outline that can be believed; see `_belief`.
_MIN_BELIEF = 0.6
_VISIBLE_EDGE = 8.0
_OFF_CENTER = 0.05
_CLOSE = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
_OPEN = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
# An edge is two pixels wide on both of its sides, and belongs to the item with them.
_EDGE_WIDTH = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


def find_outline(image: Image) -> Mask | None:
    """(h, w) 0 or 1 at working size where the item of a picture (H, W, 3) is; None where that cannot be told."""
    height, width = image.shape[:2]
    scale = min(1.0, _WORK_SIDE_PX / max(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    view = _View.of(cv2.resize(image, size, interpolation=cv2.INTER_AREA))  # type: ignore[arg-type]
    candidates = [mask for mask in (_beyond_edges(view, edge) for edge in _EDGES) if mask is not None]
    beliefs = [_belief(view, mask) for mask in candidates]
    if not beliefs or max(beliefs) < _MIN_BELIEF:
        return None
    return cv2.erode(candidates[int(np.argmax(beliefs))], _EDGE_WIDTH)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """What is known of each pixel, (h, w): its gradient, its distance in hue from the ground, its part in the rim."""

    gradient: Floats
    hue: Floats
    rim: NDArray[np.bool_]
    ground_rim: NDArray[np.bool_]

    @classmethod
    def of(cls, image: Image) -> _View:
        lab = cv2.cvtColor(cv2.medianBlur(image, 3), cv2.COLOR_RGB2LAB).astype(np.float32)
        slopes = cv2.magnitude(
            cv2.Sobel(lab, cv2.CV_32F, 1, 0, scale=0.25), cv2.Sobel(lab, cv2.CV_32F, 0, 1, scale=0.25)
        )
        lightness, *colors = cv2.split(slopes)
        gradient = np.maximum(lightness, 1.5 * np.maximum(*colors))
        height, width = lab.shape[:2]
        rim = np.ones((height, width), bool)
        edge = max(3, min(height, width) // 20)
        rim[edge:-edge, edge:-edge] = False
        ground, ground_rim = _fit_ground(lab, rim)
        hue = cv2.magnitude(*cv2.split(lab - ground)[1:])
        return cls(gradient.astype(np.float32), np.asarray(hue, np.float32), rim, ground_rim)


def _fit_ground(lab: Floats, rim: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """The ground's color everywhere, (h, w, 3), fitted to the commonest color of the rim, and the rim that has it."""
    height, width = rim.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    basis = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1).astype(np.float32)
    colors, places = lab[rim], basis[rim]
    some = colors[:: max(1, len(colors) // 300)]
    near = np.linalg.norm((some[:, None] - some) * _WEIGHTS, axis=-1) < 9
    common = some[near.sum(axis=1).argmax()]
    is_ground = np.linalg.norm((colors - common) * _WEIGHTS, axis=-1) < 18
    surface = np.zeros((6, 3), np.float32)
    for num_terms in (3, 3, 3, 6):  # items reach over the rim: fit again without them
        surface[:num_terms] = np.linalg.lstsq(places[is_ground, :num_terms], colors[is_ground], rcond=None)[0]
        distance = np.linalg.norm((colors - places @ surface) * _WEIGHTS, axis=-1)
        nearer = distance < 3 * (float(np.median(distance[is_ground])) + 1)
        if nearer.sum() < 60:
            break
        is_ground = nearer
    where = np.zeros(rim.shape, bool)
    where[rim] = is_ground
    return basis @ surface, where


def _beyond_edges(view: _View, edge: float) -> Mask | None:
    """What cannot be reached from the rim's ground without crossing such an edge."""
    walls = ((view.gradient > edge) | (view.hue > _OTHER_HUE)).astype(np.uint8)
    walls = cv2.morphologyEx(walls, cv2.MORPH_CLOSE, _CLOSE)  # type: ignore[assignment]
    count, labels = cv2.connectedComponents(1 - walls, connectivity=4)
    seen = np.bincount(labels[view.ground_rim], minlength=count)
    is_item = seen <= _MIN_GROUND * view.ground_rim.sum()
    is_item[0] = True
    item = cv2.morphologyEx(is_item.astype(np.uint8)[labels], cv2.MORPH_OPEN, _OPEN)
    count, labels, shapes, _ = cv2.connectedComponentsWithStats(_filled(item))  # type: ignore[arg-type]
    if count < 2:
        return None
    areas = shapes[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    mask: Mask = (areas > _MIN_PART * areas.max()).astype(np.uint8)[labels]
    return mask


def _belief(view: _View, mask: Mask) -> float:
    """Up to 1: an item is nearly convex, in the middle, has an edge all around, is no crumb, is not cut off.

    Print on cardboard that fills the picture, or the rim of a sheet, is none of that.
    """
    area = float(mask.mean())
    hull = cv2.convexHull(cv2.findNonZero(mask)) if mask.any() else None
    if hull is None or not _MIN_AREA <= area <= _MAX_AREA:
        return 0.0
    height, width = mask.shape
    if cv2.pointPolygonTest(hull, (width / 2, height / 2), measureDist=True) < -_OFF_CENTER * height:
        return 0.0
    solidity = min(1.0, float(mask.sum()) / max(1.0, cv2.contourArea(hull)))
    edge = (cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0) & ~view.rim
    near = cv2.dilate(view.gradient, np.ones((5, 5), np.uint8))
    visible = float((near[edge] > _VISIBLE_EDGE).mean()) if edge.any() else 0.0
    cut_off = float(mask[view.rim].mean())
    return solidity * visible - 0.3 * cut_off - 0.5 * max(0.0, 0.2 - area)


def _filled(mask: Mask) -> Mask:
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return filled
