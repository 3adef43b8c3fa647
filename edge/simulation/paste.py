"""Laying a cutout into a picture, with the shadow it casts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Box
from edge.simulation.cutout import Cutout

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a cutout lies: its anchor in pixels of the picture, its scale, its angle clockwise.

    The anchor is the middle of the cutout, or another share of its height from the top.
    """

    x_px: float
    y_px: float
    scale: float
    angle_deg: float
    anchor_y: float = 0.5


def paste(canvas: Floats, cutout: Cutout, pose: Pose, shadow: float, lamp: NDArray[np.float64]) -> None:
    """Lay `cutout` onto `canvas` (H, W, 3) float32 in place; `shadow` 0..1 falls along `lamp` (2,)."""
    height, width = canvas.shape[:2]
    softness = 2 + 0.02 * max(cutout.alpha.shape) * pose.scale
    area = _reach(cutout, pose, width, height, margin=round(4 * softness))
    if area.width <= 0 or area.height <= 0:
        return
    matrix = _matrix(cutout, pose)
    matrix[:, 2] -= (area.x, area.y)
    size = (area.width, area.height)
    alpha = cv2.warpAffine(cutout.alpha, matrix, size)
    image = cv2.warpAffine(cutout.image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    inside = canvas[area.y : area.y + area.height, area.x : area.x + area.width]
    away = np.array([[1, 0, lamp[0] * softness], [0, 1, lamp[1] * softness]], np.float32)
    dark = cv2.GaussianBlur(cv2.warpAffine(alpha, away, size), (0, 0), softness)
    inside *= (1 - shadow * dark)[..., None]
    inside += alpha[..., None] * (image.astype(np.float32) - inside)


def covered_box(cutouts: Sequence[Cutout], poses: Sequence[Pose], width_px: int, height_px: int) -> Box:
    """The box around all that the cutouts cover of a picture of this size; empty at 0, 0 without any."""
    covered = np.zeros((height_px, width_px), np.float32)
    for cutout, pose in zip(cutouts, poses, strict=True):
        covered = np.maximum(covered, cv2.warpAffine(cutout.alpha, _matrix(cutout, pose), (width_px, height_px)))
    x, y, width, height = cv2.boundingRect((covered > 0.5).astype(np.uint8))
    return Box(x, y, width, height)


def _matrix(cutout: Cutout, pose: Pose) -> NDArray[np.float64]:
    height, width = cutout.alpha.shape
    anchor = (width / 2, height * pose.anchor_y)
    matrix = cv2.getRotationMatrix2D(anchor, -pose.angle_deg, pose.scale).astype(np.float64)
    matrix[:, 2] += (pose.x_px - anchor[0], pose.y_px - anchor[1])
    return matrix


def _reach(cutout: Cutout, pose: Pose, width_px: int, height_px: int, margin: int) -> Box:
    """The part of the picture that the cutout and its shadow can touch."""
    height, width = cutout.alpha.shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]) @ _matrix(cutout, pose).T
    left, top = np.floor(corners.min(axis=0)).astype(int) - margin
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + margin
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width_px), min(bottom, height_px)
    return Box(int(left), int(top), int(right - left), int(bottom - top))
