"""A hand with its arm, drawn: enough of one to occlude, to cast a shadow and to tremble."""

from __future__ import annotations

import cv2
import numpy as np

from edge.simulation.cutout import Cutout

# Bare skin from pale to dark, and two gloves, RGB.
_SKINS = ((232, 190, 172), (198, 134, 102), (141, 85, 54), (84, 54, 40), (40, 70, 140), (225, 225, 220))
_SIDE_PX = 400


def draw_arm(rng: np.random.Generator) -> Cutout:
    """An arm that comes from the top, its fingertips at the bottom centre; 400 x 1200 pixels.

    The sleeve, the skin, the width and the spread of the fingers come from `rng`.
    """
    height, width = 3 * _SIDE_PX, _SIDE_PX
    shape = np.zeros((height, width), np.uint8)
    wrist, palm = rng.integers(70, 110), rng.integers(95, 130)
    middle = width // 2
    knuckles = height - 210
    cv2.line(shape, (middle, 0), (middle, knuckles - 150), 255, int(wrist * 1.7))
    cv2.ellipse(shape, (middle, knuckles - 90), (int(palm), 150), 0, 0, 360, 255, cv2.FILLED)
    for index in range(4):
        root_x = middle - palm * 0.72 + index * palm * 0.48
        tip = (int(root_x + (index - 1.5) * rng.uniform(5, 30)), int(height - rng.uniform(20, 70)))
        cv2.line(shape, (int(root_x), knuckles), tip, 255, 40)
    cv2.line(shape, (int(middle + palm * 0.7), knuckles - 130), (int(middle + palm + 45), knuckles - 10), 255, 44)
    skin = np.array(_SKINS[int(rng.integers(len(_SKINS)))], np.float32)
    picture = np.broadcast_to(skin, (height, width, 3)).copy()
    sleeve_until = int(rng.uniform(0, 0.6) * height)
    picture[:sleeve_until] = rng.uniform(10, 240, 3)
    # Rounder towards the rim, as a lamp from above makes an arm look.
    depth = cv2.GaussianBlur(shape.astype(np.float32) / 255, (0, 0), 18)
    picture *= (0.55 + 0.45 * depth)[..., None]
    picture += cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), 3)[..., None] * 20
    alpha = cv2.GaussianBlur(shape.astype(np.float32) / 255, (0, 0), 1.5)
    return Cutout(np.clip(picture, 0, 255).astype(np.uint8), np.asarray(alpha, dtype=np.float32), "hand", "drawn")
