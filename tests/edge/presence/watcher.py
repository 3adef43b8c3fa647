"""A small scene that is drawn here, and what a detector makes of it: 320 x 180 at 12 frames a second, with noise."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Box, Frame, Image, Phase, Presence
from edge.presence import PresenceDetector

RATE_HZ = 12
WIDTH, HEIGHT = 320, 180
CAN = Box(120, 60, 60, 40)
Scene = NDArray[np.float32]


def ground(seed: int = 0) -> Scene:
    """A grey bin with an uneven lamp, a wall that meets the floor, and some dirt."""
    rng = np.random.default_rng(seed)
    lamp = np.linspace(0.8, 1.1, WIDTH)[None, :, None]
    scene = np.full((HEIGHT, WIDTH, 3), (120, 118, 112), np.float32) * lamp
    scene[:30] *= 0.8
    dirt = cv2.GaussianBlur(rng.standard_normal((HEIGHT, WIDTH)), (0, 0), 3) * 25
    return (scene + dirt[..., None]).astype(np.float32)


def with_item(scene: Scene, box: Box = CAN, color: tuple[int, int, int] = (190, 60, 50)) -> Scene:
    scene = scene.copy()
    scene[box.y : box.y + box.height, box.x : box.x + box.width] = color
    scene[box.y + 5 : box.y + 10, box.x + 4 : box.x + box.width - 4] = (230, 230, 230)
    return scene


class Watcher:
    """Feeds scenes to a detector at 12 frames a second and keeps the phases."""

    def __init__(self, detector: PresenceDetector, noise: float = 2.0) -> None:
        self.detector = detector
        self.phases: list[Phase] = []
        self._noise = noise
        self._rng = np.random.default_rng(7)
        self._sequence = 0

    def see(self, scene: Scene, duration_s: float, change: Callable[[Scene, float], Scene] | None = None) -> Presence:
        """Show `scene` for a while, changed by `change(scene, seconds)`; the last presence."""
        presence = Presence(Phase.EMPTY)
        for index in range(round(duration_s * RATE_HZ)):
            shown = scene if change is None else change(scene, index / RATE_HZ)
            noisy = shown + self._rng.standard_normal(shown.shape, np.float32) * self._noise
            image: Image = np.clip(noisy, 0, 255).astype(np.uint8)
            image.setflags(write=False)
            presence = self.detector.update(Frame(self._sequence, self._sequence / RATE_HZ, image))
            self.phases.append(presence.phase)
            self._sequence += 1
        return presence

    def look_away(self, duration_s: float) -> None:
        """No frame comes for a while: the camera has a fault."""
        self._sequence += round(duration_s * RATE_HZ)


def overlap(found: Box, true: Box) -> float:
    width = min(found.x + found.width, true.x + true.width) - max(found.x, true.x)
    height = min(found.y + found.height, true.y + true.height) - max(found.y, true.y)
    shared = max(0, width) * max(0, height)
    return shared / (found.width * found.height + true.width * true.height - shared)
