"""Ghosts: places of things that were learned as part of the empty scene, and have been taken away since."""

from __future__ import annotations

import cv2
import numpy as np

from edge.presence.planes import SQUARE3, Floats, Mask, energy, exceeds, minus

# A place of the rim is judged by what lies in a window of this side around it, work pixels; each side of the rim must
# fill this share of the window.
_WINDOW, _LEAST_SHARE = (11, 11), 0.05
# A step of color counts for one picture when the other has hardly any there, and it is this many times as large and
# this much more; log units.
_FAINT, _RATIO, _STEP = 0.2, 1.5, 0.04
# Steps that have gone must be this many times those that have come, and this share of the rim more. Of 243 items on
# nine grounds, 135 of them cards about as bright as their ground, 1 is taken for a ghost, and of 243 ghosts of theirs
# 16 are not noticed; by edges in place of steps it was 4 and 50 (tests/bench/ghosts.py).
_LEADS, _LEAD = 1.5, 0.1


def is_ghost(foreground: Mask, scene: Floats, frame: Floats) -> bool:
    """Whether the foreground stands out from what surrounds it in the empty scene rather than in the frame.

    Both are (H, W, 3) log pictures under one light. Each place of the rim has one vote, however large its step from
    inside to outside: an item that lies across the scene's strongest edge hides that along a few places, and differs
    from its surroundings along the others. Steps, and not edges: those of a grained ground are gone wherever an item
    lies on it, and one as bright as the ground has few of its own. The rim is that of the convex hull, for what is
    seen of such an item ends where the grain does.
    """
    hull = _hull(foreground)
    inside = _weight(cv2.erode(hull, SQUARE3))  # type: ignore[arg-type]
    outside = _weight(cv2.bitwise_not(cv2.dilate(hull, SQUARE3)))  # type: ignore[arg-type]
    inner, outer = _blur(inside), _blur(outside)
    rim: Mask = cv2.morphologyEx(hull, cv2.MORPH_GRADIENT, SQUARE3)  # type: ignore[assignment]
    rim = cv2.bitwise_and(rim, exceeds(cv2.min(inner, outer), _LEAST_SHARE))  # type: ignore[arg-type,assignment]
    before, now = (
        _length(minus(_mean(picture, inside, inner), _mean(picture, outside, outer))) for picture in (scene, frame)
    )
    gone, come = _larger(before, now, rim), _larger(now, before, rim)
    return gone > _LEADS * come + _LEAD * cv2.countNonZero(rim)


def _hull(mask: Mask) -> Mask:
    hull: Mask = np.zeros_like(mask)
    cv2.fillConvexPoly(hull, cv2.convexHull(cv2.findNonZero(mask)), (255,))
    return hull


def _weight(mask: Mask) -> Floats:
    return (mask > 0).astype(np.float32)


def _mean(picture: Floats, weight: Floats, total: Floats) -> Floats:
    """The mean color around each place of what has weight."""
    return np.asarray(_blur(picture * weight[..., None]) / np.maximum(total, 1e-6)[..., None], np.float32)


def _blur(plane: Floats) -> Floats:
    return cv2.blur(plane, _WINDOW)  # type: ignore[return-value]


def _length(steps: Floats) -> Floats:
    return cv2.sqrt(energy(steps))  # type: ignore[return-value]


def _larger(steps: Floats, others: Floats, among: Mask) -> int:
    """At how many places of a mask there is a step where the other picture has hardly any."""
    is_larger = cv2.bitwise_and(exceeds(steps - _RATIO * others, _STEP), among)
    return cv2.countNonZero(cv2.bitwise_and(is_larger, cv2.bitwise_not(exceeds(others, _FAINT))))
