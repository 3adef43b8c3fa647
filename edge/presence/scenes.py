"""The empty scene under lamps that go on and off: what each of the last lights showed is known again.

What a lamp does that no smooth surface explains, a highlight or a hard shadow, is where it was when the lamp comes on
once more; and of a scene that has been dark for a night its own picture tells nothing.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Sequence

import cv2
import numpy as np

from edge.presence.background import Background, Difference
from edge.presence.planes import Floats, Mask, exceeds
from edge.presence.regions import STRONG, WEAK

_log = logging.getLogger(__name__)

# The light has jumped when all but this share of the picture, hardly ever left by an item, has changed by so much; log
# units.
_LEFT, _JUMP = 0.2, 0.2
# Another scene is shown again when the picture is this many times nearer to it.
_NEARER = 2.0
# A scene whose light is this much further from the frame's, log units, forgives no more than twice as much: what is
# strong against the one is weak at least against the other.
_AS_NEAR = 0.2
# How many lights are remembered beside that of now: of a lamp that is off, on, and on beside the sun.
_NUM_LIGHTS = 3
# A flap that opens looks like something that was taken away, but half of the picture changes with it by so much, log
# units; and it is shut again by then, seconds.
_OPENED, _BACK_S = 0.1, 10.0


class Scenes:
    """The scene that the light shows now, and those that the last lights did.

    Args:
        scene: the one under the light of now.
        adapt_s: a light is worth to be remembered when it has lasted so long, seconds.
    """

    def __init__(self, scene: Background, adapt_s: float) -> None:
        self.now = scene
        """The empty scene under the light of the newest frame."""
        self._adapt_s = adapt_s
        self._others: list[Background] = []
        self._before: Background | None = None  # as it was when a flap opened
        self._forgot_s = -math.inf
        self._is_away = False
        self.began_s = -math.inf
        """When the light jumped to that of now, seconds; infinitely long ago where its scene is known."""

    def under(self, log_picture: Floats, now_s: float) -> Background:
        """The scene that the light of this frame shows, which is `now` from here on."""
        change = np.abs(self.now.light_change(log_picture))
        if float(np.quantile(change, _LEFT)) < _JUMP:
            self._is_away = False
            return self.now
        away = [_median(other.light_change(log_picture)) for other in self._others]
        if away and min(away) * _NEARER < _median(change):
            self._turn_to(self._others[int(np.argmin(away))], now_s)
        elif not self._is_away:
            self._remember(now_s)
            self._is_away, self.began_s = True, now_s
        return self.now

    def forget(self, ghosts: Sequence[Mask], log_picture: Floats, difference: Difference, now_s: float) -> None:
        """Take what is seen at the places of things that have been taken away for the empty scene."""
        has_expired = now_s - self._forgot_s >= _BACK_S
        if has_expired and _median(self.now.light_change(log_picture)) > _OPENED:
            self._before, self._forgot_s = copy.deepcopy(self.now), now_s
        for ghost in ghosts:
            self.now.absorb(difference.relit, ghost)
        _log.info("something that was part of the empty scene has been taken away, and is forgotten")

    def recall(self, log_picture: Floats, difference: Difference, now_s: float) -> bool:
        """Whether a known scene is shown again: one whose light is as near, and that shows far less of what lies there.

        A camera that exposes by itself makes every light as bright as the last, and leaves what no surface explains.
        """
        nothing = np.zeros(difference.score.shape, np.uint8)
        before = self._before if now_s - self._forgot_s < _BACK_S else None
        known = self._others if before is None else [*self._others, before]
        found = [_num_beyond(WEAK, other.compare(log_picture, nothing)) for other in known]
        if not found or min(found) * _NEARER > _num_beyond(STRONG, difference):
            return False
        best = known[int(np.argmin(found))]
        if best.light > self.now.light + _AS_NEAR:
            return False
        self._turn_to(best, now_s)
        return True

    def _turn_to(self, known: Background, now_s: float) -> None:
        if known is self._before:
            self._before, self._forgot_s = None, -math.inf
        else:
            self._others.remove(known)
            self._remember(now_s)
        self.now, self._is_away, self.began_s = known, False, -math.inf

    def _remember(self, now_s: float) -> None:
        if now_s - self.began_s >= self._adapt_s:
            self._others = [copy.deepcopy(self.now), *self._others][:_NUM_LIGHTS]

    def realign(self, difference: Difference) -> bool:
        """Follow a camera that was pushed; True when it was."""
        if not self.now.realign(difference):
            return False
        self._others.clear()
        self._before, self._forgot_s = None, -math.inf
        return True


def _num_beyond(score: float, difference: Difference) -> int:
    return cv2.countNonZero(exceeds(difference.score, score))


def _median(change: Floats) -> float:
    return float(np.median(np.abs(change)))
