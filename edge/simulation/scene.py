"""The stage: items that come, rest and go before an empty scene, with the time of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Box, Frame, Image
from edge.simulation.cutout import Cutout
from edge.simulation.hand import draw_arm
from edge.simulation.lens import Conditions, Lens
from edge.simulation.paste import Pose, covered_box, paste

Floats = NDArray[np.float32]
Point = NDArray[np.float64]

# Length of the arm's picture from the finger tips to the end, in palm widths of the frame.
_ARM_WIDTH_SHARE = 0.24
# A camera exposes for about this long at indoor light: what moves is smeared over it.
_EXPOSURE_S = 0.02
# So far away nothing is in sight any more of an item, and of an arm by its finger tips; shares of the diagonal.
_ITEM_AWAY, _ARM_AWAY = 1.125, 0.875
# A hand that comes alone reaches so far beyond the middle; a share of the diagonal.
_BEYOND_MIDDLE = 0.075


class Way(StrEnum):
    """How an item comes or goes."""

    SLIDE = "slide"
    FALL = "fall"
    HAND = "hand"


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens on the stage.

    `scale` is the range of the item's longer side as a share of the picture's shorter one; `hand_only_share`
    is how often a hand comes without an item; `pair_share` how often two items come at once.
    """

    width_px: int = 640
    height_px: int = 480
    rate_hz: float = 12.0
    lead_s: float = 2.0
    rest_s: tuple[float, float] = (1.6, 2.4)
    gap_s: tuple[float, float] = (0.8, 1.6)
    scale: tuple[float, float] = (0.25, 0.75)
    hand_only_share: float = 0.15
    pair_share: float = 0.0

    @property
    def diagonal_px(self) -> float:
        """What ways are shares of."""
        return math.hypot(self.width_px, self.height_px)


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """One visit: what comes, how, where it rests, and when. `items` is empty when a hand comes alone."""

    items: tuple[Cutout, ...]
    poses: tuple[Pose, ...]
    entry: Way
    exit: Way
    origin: Point
    arm: Cutout
    arm_scale: float
    enters_s: float
    settled_s: float
    leaves_s: float
    gone_s: float


class Scene:
    """A seeded sequence of frames; iterating `frames()` twice gives the same bytes."""

    def __init__(
        self, cutouts: Sequence[Cutout], ground: Image, plan: Plan, conditions: Conditions, seed: int = 0
    ) -> None:
        self.plan, self.conditions, self.seed = plan, conditions, seed
        size = (plan.width_px, plan.height_px)
        self._ground = cv2.resize(ground, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        rng = np.random.default_rng([seed, 0])
        self._shadow = float(rng.uniform(0.1, 0.45))
        lamp = rng.uniform(-1, 1, 2)
        self._lamp: Point = lamp / max(1e-6, float(np.hypot(*lamp)))
        self.visits = _plan_visits(cutouts, plan, rng)
        """All visits in order of time, also those of a hand alone."""
        self._still: tuple[Visit, Floats] | None = None  # the newest visit at rest, drawn
        self.seconds = (self.visits[-1].gone_s if self.visits else 0.0) + plan.lead_s

    def frames(self) -> Iterator[Frame]:
        """Every frame in order; `captured_at_s` counts from 0 at `plan.rate_hz`."""
        lens = Lens(self.conditions, np.random.default_rng([self.seed, 1]), shift_at_s=self._quiet_moment_s())
        for index in range(int(self.seconds * self.plan.rate_hz)):
            at_s = index / self.plan.rate_hz
            image = lens.photograph(self.exposed(at_s), at_s)
            image.setflags(write=False)
            yield Frame(index, at_s, image)

    def box_of(self, visit: Visit) -> Box:
        """The box around what rests, clipped to the picture; all items together."""
        return covered_box(visit.items, visit.poses, self.plan.width_px, self.plan.height_px)

    def _quiet_moment_s(self) -> float:
        middle = self.visits[len(self.visits) // 2] if self.visits else None
        return 0.0 if middle is None else middle.gone_s + 0.1

    def exposed(self, at_s: float) -> Floats:
        """What lies before the lens at a moment, (H, W, 3) float32 0..255; what moves is smeared."""
        visit = next((visit for visit in self.visits if visit.enters_s <= at_s <= visit.gone_s), None)
        if visit is None:
            return self._ground.copy()
        if visit.settled_s + _EXPOSURE_S < at_s < visit.leaves_s:
            if self._still is None or self._still[0] is not visit:
                self._still = visit, self._drawn(visit, at_s)
            return self._still[1].copy()
        early, middle, late = (self._drawn(visit, at_s - _EXPOSURE_S * part) for part in (1, 0.5, 0))
        return (early + middle + late) / np.float32(3)

    def _drawn(self, visit: Visit, at_s: float) -> Floats:
        canvas = self._ground.copy()
        for item, pose in zip(visit.items, _item_poses(visit, at_s, self.plan), strict=True):
            paste(canvas, item, pose, self._shadow, self._lamp)
        arm = _arm_pose(visit, at_s, self.plan)
        if arm is not None:
            paste(canvas, visit.arm, arm, self._shadow, self._lamp)
        return canvas


def _plan_visits(cutouts: Sequence[Cutout], plan: Plan, rng: np.random.Generator) -> tuple[Visit, ...]:
    waiting, visits, now_s = list(cutouts), [], plan.lead_s
    while waiting:
        num_items = 1
        if rng.random() < plan.hand_only_share:
            num_items = 0
        elif len(waiting) > 1 and rng.random() < plan.pair_share:
            num_items = 2
        items, waiting = waiting[:num_items], waiting[num_items:]
        visit = _draw_visit(items, plan, rng, now_s)
        visits.append(visit)
        now_s = visit.gone_s + rng.uniform(*plan.gap_s)
    return tuple(visits)


def _draw_visit(items: Sequence[Cutout], plan: Plan, rng: np.random.Generator, enters_s: float) -> Visit:
    fitted = [
        _fitted(item, min(plan.width_px, plan.height_px) * rng.uniform(*plan.scale) / max(1, len(items) * 0.75))
        for item in items
    ]
    entry = Way.HAND if not items else Way(rng.choice(list(Way)))
    leave = Way.HAND if not items else Way(rng.choice(list(Way)))
    turn = rng.uniform(0, 2 * np.pi)
    lasts_s = {Way.SLIDE: rng.uniform(0.25, 0.5), Way.FALL: rng.uniform(0.15, 0.35), Way.HAND: rng.uniform(0.8, 1.6)}
    settled_s = enters_s + lasts_s[entry]
    leaves_s = settled_s + (rng.uniform(*plan.rest_s) if items else 0.0)
    return Visit(
        tuple(fitted),
        tuple(_rest_pose(item, index, len(fitted), plan, rng) for index, item in enumerate(fitted)),
        entry,
        leave,
        np.array([np.cos(turn), np.sin(turn)]),
        draw_arm(rng),
        max(plan.width_px, plan.height_px) * _ARM_WIDTH_SHARE / 230 * rng.uniform(0.8, 1.3),
        enters_s,
        settled_s,
        leaves_s,
        leaves_s + (lasts_s[leave] if items else 0.0),
    )


def _fitted(item: Cutout, longer_side_px: float) -> Cutout:
    """The cutout at the size at which it rests, so that it is shrunk once and well."""
    scale = longer_side_px / max(item.alpha.shape)
    size = (max(2, round(item.alpha.shape[1] * scale)), max(2, round(item.alpha.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    image, alpha = cv2.resize(item.image, size, interpolation=how), cv2.resize(item.alpha, size, interpolation=how)
    return replace(item, image=np.asarray(image, dtype=np.uint8), alpha=np.clip(alpha, 0, 1))


def _rest_pose(item: Cutout, index: int, num_items: int, plan: Plan, rng: np.random.Generator) -> Pose:
    reach = float(np.hypot(*item.alpha.shape)) / 2
    low, high = index / max(1, num_items), (index + 1) / max(1, num_items)

    def place(low_px: float, high_px: float) -> float:
        room = min(reach, (high_px - low_px) / 2)
        return float(rng.uniform(low_px + room, high_px - room))

    return Pose(place(low * plan.width_px, high * plan.width_px), place(0, plan.height_px), 1.0, rng.uniform(0, 360))


def _item_poses(visit: Visit, at_s: float, plan: Plan) -> tuple[Pose, ...]:
    if visit.settled_s <= at_s <= visit.leaves_s:
        return visit.poses
    is_coming = at_s < visit.settled_s
    way = visit.entry if is_coming else visit.exit
    away = _share_away(visit, at_s, way)
    far = visit.origin * (_ITEM_AWAY * plan.diagonal_px) * away
    rise = 0.6 * away if way is Way.FALL else 0.0
    return tuple(
        Pose(pose.x_px + far[0], pose.y_px + far[1], pose.scale + rise, pose.angle_deg + 60 * rise)
        for pose in visit.poses
    )


def _share_away(visit: Visit, at_s: float, way: Way) -> float:
    """How far from its rest an item is, 0 at rest to 1 out of sight."""
    if at_s < visit.settled_s:
        share = (visit.settled_s - at_s) / (visit.settled_s - visit.enters_s)
        # A hand brings the item in the first half of its visit, and needs the second to withdraw.
        share = max(0.0, share * 2 - 1) if way is Way.HAND else share
        return float(share**1.5)
    share = (at_s - visit.leaves_s) / max(1e-6, visit.gone_s - visit.leaves_s)
    share = max(0.0, share * 2 - 1) if way is Way.HAND else share
    return float(share**1.5)


def _arm_pose(visit: Visit, at_s: float, plan: Plan) -> Pose | None:
    """Where the finger tips are: at the item while it is carried, on their way to or from it otherwise."""
    is_coming = at_s < visit.settled_s
    if not is_coming and at_s <= visit.leaves_s:
        return None
    if (visit.entry if is_coming else visit.exit) is not Way.HAND:
        return None
    begin_s, end_s = (visit.enters_s, visit.settled_s) if is_coming else (visit.leaves_s, visit.gone_s)
    share = (at_s - begin_s) / max(1e-6, end_s - begin_s)
    # Down in the first 45 %, at rest on the item for a tenth, away in the last 45 %.
    away = max(0.0, abs(share - 0.5) - 0.05) / 0.45
    target = (plan.width_px / 2, plan.height_px / 2) - visit.origin * (_BEYOND_MIDDLE * plan.diagonal_px)
    if visit.poses:
        target = np.array([visit.poses[0].x_px, visit.poses[0].y_px])
    x_px, y_px = target + visit.origin * (_ARM_AWAY * plan.diagonal_px) * away**1.3
    angle_deg = float(np.degrees(np.arctan2(visit.origin[1], visit.origin[0]))) + 90
    return Pose(float(x_px), float(y_px), visit.arm_scale, angle_deg, anchor_y=1.0)
