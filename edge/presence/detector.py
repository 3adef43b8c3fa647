"""Presence: is something there, does it lie still, is it one thing, and where."""

from __future__ import annotations

import logging
from functools import reduce
from operator import or_

import cv2
import numpy as np

from edge.messages import Box, Frame, Image, Phase, Presence
from edge.presence.background import Background, Difference
from edge.presence.blindness import Blindness
from edge.presence.learning import SceneLearner
from edge.presence.planes import Floats, Mask, brightness, share_of, to_log
from edge.presence.regions import Foreground, Side, find_things
from edge.presence.scenes import Scenes
from edge.presence.separation import is_several
from edge.presence.settings import PresenceSettings
from edge.presence.stillness import Standstill, Stillness
from edge.presence.view import View

_log = logging.getLogger(__name__)

# Around what is seen, so that its faint rim is not taken for the empty scene; work pixels.
_GUARD = np.ones((5, 5), np.uint8)
_GUARD_PX = 4
# What varies more than this by itself, log units, is no noise but something that moves there.
_MOST_NOISE = 0.1
# What is cut off as an arm is may rest this many times as long as an arm commonly does, before it is taken for an item.
_ARM_STAYS = 4
# Between two frames further apart than this the camera was away, and nobody saw that something rested; seconds.
_LONGEST_LOOK_S = 1.0
# Frame times are sums of fractions: a rest that is this much too short is long enough, seconds.
_ROUNDING_S = 1e-3


class PresenceDetector:
    """Tells the phase of each frame: EMPTY, MOVING, SETTLED or MANY. Pure: time comes with the frames.

    Args:
        settings: what counts as an item.
        background: the empty scene, (H, W, 3) uint8 RGB, as a frame shows it; without it the detector
            learns it from the first still moments, and says EMPTY until then.
        variation: how much each part of the background varies by itself, (H, W) of any size, standard
            deviations in grey levels; unknown without it.
    """

    def __init__(
        self,
        settings: PresenceSettings | None = None,
        background: Image | None = None,
        variation: Floats | None = None,
    ) -> None:
        self._settings = settings or PresenceSettings()
        self._reference = background
        self._variation = variation
        self._watch: _Watch | None = None

    @property
    def has_background(self) -> bool:
        """Whether the empty scene is known; while it is not, everything is EMPTY."""
        return self._watch is not None and self._watch.has_background

    def update(self, frame: Frame) -> Presence:
        """What `frame` shows. Frames come in the order of their times; a new size begins anew."""
        if self._watch is None or self._watch.view.frame_shape != frame.image.shape:
            self._watch = _Watch(View.of(frame.image, self._settings), self._settings, self._reference, self._variation)
        return self._watch.update(frame)


class _Watch:
    """The detector for frames of one size."""

    def __init__(
        self, view: View, settings: PresenceSettings, reference: Image | None, variation: Floats | None
    ) -> None:
        self.view = view
        self._settings = settings
        self._learner = SceneLearner(settings)
        self._stillness = Stillness(settings.settle_s)
        self._standstill = Standstill()
        self._mask: Mask = np.zeros((view.height_px, view.width_px), np.uint8)
        self._blindness = Blindness()
        self._scenes: Scenes | None = None
        self._difference: Difference | None = None
        self._last_s: float | None = None
        self._watched_s = 0.0
        self._is_settled = self._is_occupied = False
        self._always_touched, self._came_over = ~Side(0), ~Side(0)
        if reference is not None:
            mean = to_log(view.shrink_reference(reference))
            self._scenes = Scenes(
                Background(mean, _variance(view, mean, variation), settings.adapt_s), settings.adapt_s
            )

    @property
    def has_background(self) -> bool:
        return self._scenes is not None

    def update(self, frame: Frame) -> Presence:
        log_picture = to_log(self.view.shrink(frame.image))
        now_s = frame.captured_at_s
        elapsed_s = 0.0 if self._last_s is None else max(0.0, now_s - self._last_s)
        self._last_s = now_s
        self._watched_s += min(elapsed_s, _LONGEST_LOOK_S)
        if self._scenes is None:
            lesson = self._learner.learn(log_picture, self._watched_s)
            if lesson is not None:
                scene = Background(lesson.mean, lesson.variance, self._settings.adapt_s)
                self._scenes = Scenes(scene, self._settings.adapt_s)
            return Presence(Phase.EMPTY)
        if self._blindness.in_dark(self._scenes.now, log_picture, now_s):
            return self._unseen()
        background = self._scenes.under(log_picture, now_s)
        self._difference = background.compare(log_picture, self._mask)
        foreground = find_things(
            self._difference.score,
            self._difference.doubt,
            self._settings.min_area * self._mask.size,
            self._settings.sensitivity,
        )
        self._mask = np.zeros_like(self._mask) if foreground is None else cv2.dilate(foreground.mask, _GUARD)  # type: ignore[assignment]
        background.follow(elapsed_s, self._mask if foreground is None else _guarded(foreground))
        is_gone = foreground is None and self._is_occupied
        if self._blindness.in_jump(self._scenes.began_s, now_s, is_gone=is_gone):
            return self._unseen()
        presence = self._judge(self._scenes, log_picture, foreground, self._difference, now_s)
        self._is_occupied = presence.phase is not Phase.EMPTY
        return presence

    def _unseen(self) -> Presence:
        """What was there is taken to be there still."""
        self._stillness.reset()
        self._is_settled = False
        return Presence(Phase.MOVING if self._is_occupied else Phase.EMPTY)

    def _judge(
        self,
        scenes: Scenes,
        log_picture: Floats,
        foreground: Foreground | None,
        difference: Difference,
        now_s: float,
    ) -> Presence:
        if foreground is None:
            self._stillness.reset()
            self._standstill.reset()
            self._is_settled = False
            self._always_touched, self._came_over = ~Side(0), ~Side(0)
            return Presence(Phase.EMPTY)
        still_s = self._stillness.update(difference, self._mask, self._watched_s)
        was_settled = self._is_settled
        phase, box = self._phase(foreground, difference, still_s)
        if self._is_settled and not was_settled:
            if scenes.realign(difference) or scenes.recall(log_picture, difference, now_s):
                self._look_anew()
                return Presence(Phase.MOVING)
            if ghosts := _ghosts(scenes.now, foreground, difference):
                scenes.forget(ghosts, log_picture, difference, now_s)
                self._look_anew()
                return Presence(Phase.EMPTY if len(ghosts) == len(foreground.things) else Phase.MOVING)
        stayed_s = max(still_s, self._standstill.update(log_picture, self._watched_s))
        if stayed_s >= self._settings.absorb_s:
            _log.warning("what has lain still for %.0f s is part of the empty scene from now on", stayed_s)
            scenes.now.absorb(difference.relit, self._mask)
            self._look_anew()
            return Presence(Phase.EMPTY)
        return Presence(
            phase,
            self.view.to_frame(box),
            share_of(foreground.mask),
            _sharpness(difference, box),
            tuple(self.view.to_frame(thing.box) for thing in foreground.things),
            self.view.region,
            still_s,
            self._is_reached_into(foreground, still_s),
        )

    def _look_anew(self) -> None:
        """After the empty scene has changed."""
        self._mask = np.zeros_like(self._mask)
        self._stillness.reset()
        self._standstill.reset()
        self._is_settled = False

    def _phase(self, foreground: Foreground, difference: Difference, still_s: float) -> tuple[Phase, Box]:
        needed_s = self._settings.arm_settle_s if self._has_arm(foreground) else self._settings.settle_s
        # What came to rest stays so until it moves: a rim that flickers makes no arm of an item.
        self._is_settled = still_s > 0 and (self._is_settled or still_s >= needed_s - _ROUNDING_S)
        if not self._is_settled:
            return Phase.MOVING, foreground.box if still_s > 0 else foreground.things[0].box
        return (
            Phase.MANY if is_several(foreground, difference.score, difference.doubt) else Phase.SETTLED
        ), foreground.box

    def _is_reached_into(self, foreground: Foreground, still_s: float) -> bool:
        """Whether something large may be an arm: it touches a rim, and lies still no longer than arms do."""
        return any(
            thing.touches and still_s < self._settings.arm_settle_s * (_ARM_STAYS if thing.is_arm_like else 1)
            for thing in foreground.large
        )

    def _has_arm(self, foreground: Foreground) -> bool:
        """Whether something is cut off by a rim as an arm is, and has reached in from there all the time.

        An item that lies across one rim came in over another one; one that reaches to the opposite rim is large.
        """
        touched = reduce(or_, (thing.touches for thing in foreground.large))
        if self._came_over == ~Side(0):
            self._came_over = touched
        self._always_touched &= touched
        has_stayed = bool(self._always_touched) and self._came_over in touched
        return has_stayed and any(thing.is_arm_like and not thing.spans for thing in foreground.large)


def _variance(view: View, mean: Floats, variation: Floats | None) -> Floats:
    """The noise of the empty scene in squared log units, (H, W) work pixels; zeros when it is not known."""
    if variation is None:
        return np.zeros(mean.shape[:2], np.float32)
    height, width = view.frame_shape[:2]
    levels = cv2.resize(variation, (width, height), interpolation=cv2.INTER_LINEAR)
    region = view.region
    inside = levels[region.y : region.y + region.height, region.x : region.x + region.width]
    spread = cv2.resize(inside, (view.width_px, view.height_px), interpolation=cv2.INTER_AREA)
    # A level is, in log units, one over the pixel's value.
    return np.minimum(np.square(spread / np.exp(brightness(mean))), _MOST_NOISE**2).astype(np.float32)


def _ghosts(background: Background, foreground: Foreground, difference: Difference) -> list[Mask]:
    """Of the things that came to rest, the places of what was learned with the scene, with their faint rims."""
    places = map(foreground.mask_of, foreground.things)
    return [cv2.dilate(place, _GUARD) for place in places if background.is_ghost(place, difference.relit)]  # type: ignore[misc]


def _guarded(foreground: Foreground) -> Mask:
    """The foreground with the boxes around it: what is unseen of an item must not be learned as the scene."""
    guarded = foreground.mask.copy()
    for box in (foreground.box, *(thing.box for thing in foreground.things)):
        corner = (box.x - _GUARD_PX, box.y - _GUARD_PX)
        opposite = (box.x + box.width + _GUARD_PX, box.y + box.height + _GUARD_PX)
        cv2.rectangle(guarded, corner, opposite, (255,), cv2.FILLED)
    return guarded


def _sharpness(difference: Difference, box: Box) -> float:
    inside = difference.shade[box.y : box.y + box.height, box.x : box.x + box.width]
    return float(cv2.meanStdDev(cv2.Laplacian(inside, cv2.CV_32F))[1][0, 0]) ** 2
