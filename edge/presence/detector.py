"""Presence: is something there, does it lie still, is it one thing, and where."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Box, Frame, Image, Phase, Presence
from edge.presence.background import Background, Difference, brightness, to_log
from edge.presence.learning import SceneLearner
from edge.presence.regions import Foreground, find_things, touches_border, union
from edge.presence.settings import PresenceSettings
from edge.presence.stillness import Stillness
from edge.presence.view import View


class PresenceDetector:
    """Tells the phase of each frame: EMPTY, MOVING, SETTLED or MANY. Pure: time comes with the frames.

    Args:
        settings: what counts as an item.
        background: the empty scene, (H, W, 3) uint8 RGB of any size with the frames' shape; without it
            the detector learns it from the first still moments and says EMPTY until then.
    """

    def __init__(self, settings: PresenceSettings | None = None, background: Image | None = None) -> None:
        self._settings = settings or PresenceSettings()
        self._reference = background
        self._view: View | None = None
        self._learner = SceneLearner(self._settings)
        self._background: Background | None = None
        self._stillness = Stillness()
        self._mask: NDArray[np.uint8] = np.zeros((1, 1), np.uint8)
        self._difference: Difference | None = None
        self._last_s: float | None = None

    @property
    def has_background(self) -> bool:
        """Whether the empty scene is known; while it is not, everything is EMPTY."""
        return self._background is not None

    def update(self, frame: Frame) -> Presence:
        """What `frame` shows. Frames come in the order of their times and are all of one size."""
        view = self._view_of(frame.image)
        log_picture = to_log(view.shrink(frame.image))
        elapsed_s = 0.0 if self._last_s is None else max(0.0, frame.captured_at_s - self._last_s)
        self._last_s = frame.captured_at_s
        if self._background is None:
            self._background = self._learner.learn(log_picture, frame.captured_at_s)
            return Presence(Phase.EMPTY)
        difference = self._background.compare(log_picture, self._mask)
        self._difference = difference
        min_area_px = self._settings.min_area * view.width_px * view.height_px
        foreground = find_things(difference.score, min_area_px, self._settings.sensitivity)
        self._mask = cv2.dilate(foreground.mask, np.ones((5, 5), np.uint8)) if foreground.things else foreground.mask
        self._background.follow(elapsed_s, self._mask)
        return self._judge(foreground, difference, frame.captured_at_s)

    def absorb(self) -> None:
        """Make what lies there now part of the empty scene, on the owner's word."""
        if self._background is not None and self._difference is not None:
            self._background.absorb(self._difference.relit, self._mask)
            self._mask = np.zeros_like(self._mask)

    def _view_of(self, image: Image) -> View:
        if self._view is None or self._view.frame_shape != image.shape:
            self._view = View.of(image, self._settings)
            self._mask = np.zeros((self._view.height_px, self._view.width_px), np.uint8)
            self._background = None
            if self._reference is not None:
                self._background = Background(
                    to_log(self._view.shrink_reference(self._reference)), None, self._settings
                )
        return self._view

    def _judge(self, foreground: Foreground, difference: Difference, now_s: float) -> Presence:
        assert self._view is not None and self._background is not None
        if not foreground.things:
            self._stillness.reset()
            return Presence(Phase.EMPTY)
        still_s = self._stillness.update(difference, self._mask, now_s)
        phase, work_box = self._phase(foreground, still_s)
        if phase is not Phase.MOVING and self._background.is_ghost(foreground.mask, difference):
            self._background.absorb(difference.relit, self._mask)
            self._mask = np.zeros_like(self._mask)
            self._stillness.reset()
            return Presence(Phase.EMPTY)
        area = cv2.countNonZero(foreground.mask) / foreground.mask.size
        return Presence(phase, self._view.to_frame(work_box), area, _sharpness(difference, work_box))

    def _phase(self, foreground: Foreground, still_s: float) -> tuple[Phase, Box]:
        assert self._view is not None
        settings, view = self._settings, self._view
        boxes = [thing.box for thing in foreground.things]
        reaches_out = any(touches_border(box, view.width_px, view.height_px) for box in boxes)
        needed_s = settings.border_settle_s if reaches_out else settings.settle_s
        if still_s < needed_s - 1e-6:
            return Phase.MOVING, boxes[0]
        return (Phase.MANY if foreground.is_several else Phase.SETTLED), union(boxes)


def _sharpness(difference: Difference, box: Box) -> float:
    inside = brightness(difference.relit[box.y : box.y + box.height, box.x : box.x + box.width])
    return float(cv2.Laplacian(inside, cv2.CV_32F).var())
