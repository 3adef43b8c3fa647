"""Cut the item out of a photograph on a plain ground, so that training can lay it on another.

A data set's ground often tells the class; a network that learns it is lost under another camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Image

Mask = NDArray[np.uint8]

_WORKING_PX = 128  # longer side while cutting: 20 ms a picture, and finer edges are feathered away anyway
_LIGHTNESS_WEIGHT = 0.6  # shadows change lightness most: it counts less than color when ground is told from item
_MIN_DISTANCE = 7.0  # CIELAB units; below it paper grain and JPEG blocks look like items
_BORDER_SHARE = 0.05

# What a believable cut looks like: fragments, logos on white paper and frame-filling items do not.
_MIN_AREA, _MAX_AREA = 0.06, 0.7
_MIN_SOLIDITY = 0.72
_MIN_MAIN_PART = 0.85
_MIN_PLAIN_BORDER = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """An item in its picture: `mask` (h, w) uint8 0..255 at working size, its box in shares of the picture.

    `ground` is the mean color of the ground, (3,) float32 RGB in 0..255.
    """

    mask: Mask
    x: float
    y: float
    width: float
    height: float
    ground: NDArray[np.float32]


def cut_out(image: Image) -> Cutout | None:
    """The item on a plain ground, or None where the cut is not believable."""
    height, width = image.shape[:2]
    scale = _WORKING_PX / max(height, width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    distance, threshold, plain_border = _distance_to_ground(small)
    if plain_border < _MIN_PLAIN_BORDER:
        return None
    mask = _refine(small, distance, threshold)
    if mask is None or not _is_believable(mask):
        return None
    x, y, box_width, box_height = cv2.boundingRect(mask)
    outside = small[cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0]
    if not len(outside):
        return None
    columns, rows = size
    ground = outside.mean(axis=0).astype(np.float32)
    return Cutout(mask * np.uint8(255), x / columns, y / rows, box_width / columns, box_height / rows, ground)


def _distance_to_ground(image: Image) -> tuple[NDArray[np.float32], float, float]:
    """Distance of each pixel to a smooth ground fitted to the border, its threshold, and the border's plain share."""
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab = lab * np.array([_LIGHTNESS_WEIGHT, 1, 1], np.float32)
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1).reshape(-1, 6)
    edge = max(2, round(_BORDER_SHARE * min(height, width)))
    frame = np.ones((height, width), bool)
    frame[edge:-edge, edge:-edge] = False
    border = frame.ravel()
    colors, inliers = lab.reshape(-1, 3), border
    for _ in range(4):  # items reach over the border: fit again without them
        coefficients = np.linalg.lstsq(terms[inliers], colors[inliers], rcond=None)[0]
        distance = np.linalg.norm(colors - terms @ coefficients, axis=1)
        threshold = max(2.5 * float(np.median(distance[border])), 4.0)
        inliers = border & (distance < threshold)
        if inliers.sum() < terms.shape[1]:
            return distance.reshape(height, width), threshold, 0.0
    return distance.reshape(height, width), threshold, float(inliers.sum() / border.sum())


def _refine(image: Image, distance: NDArray[np.float32], threshold: float) -> Mask | None:
    """GrabCut from the thresholded distance, closed and with its holes filled; 0 or 1."""
    beyond = (distance > max(2 * threshold, _MIN_DISTANCE)).astype(np.uint8)
    first = cv2.morphologyEx(beyond, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    sure = cv2.erode(first, np.ones((5, 5), np.uint8)) > 0
    far = cv2.dilate(first, np.ones((15, 15), np.uint8)) == 0
    ground = (distance < threshold / 2) & far
    if not (sure.any() and ground.any()):
        return None
    guess = np.where(first > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    guess[sure], guess[ground] = cv2.GC_FGD, cv2.GC_BGD
    cv2.setRNGSeed(0)  # GrabCut's mixtures start from OpenCV's own generator
    cv2.grabCut(image, guess, None, np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    cut = np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    mask = cv2.morphologyEx(cut, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled: Mask = np.zeros(mask.shape, np.uint8)
    parts = [outline for outline in outlines if cv2.contourArea(outline) > mask.size / 100]
    cv2.drawContours(filled, parts, -1, 1, thickness=cv2.FILLED)
    return filled


def _is_believable(mask: Mask) -> bool:
    area = int(mask.sum())
    if not _MIN_AREA * mask.size < area < _MAX_AREA * mask.size:
        return False
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    main = max(outlines, key=cv2.contourArea)
    hull = cv2.contourArea(cv2.convexHull(main))
    return cv2.contourArea(main) > max(_MIN_MAIN_PART * 0.95 * area, _MIN_SOLIDITY * hull)
