"""Which throw is filmed: of many tried, the one whose item lies well in the picture soonest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from motion import STEP_HZ, Body, Throw, fly
from shapes import Points, rotation
from stage import TRAY_HALF, Item, is_in_sight

NUM_TRIES = 40
TRIED_S = 2.2  # how long a throw is followed
GOOD_ENOUGH = 1.15  # seconds until rest, with what its place and turn cost on top
_STILL_CM = 0.1  # two pixels
_FROM_RIM = 1.5  # centimetres
_MOST_LEAN = 0.35  # of a lying thing's axis, sine


@dataclass(frozen=True, slots=True)
class Cue:
    """How an item is to come, from which side (degrees from the picture's right, counterclockwise), and to lie."""

    from_deg: float
    spin: float = 4.0  # radians a second
    upright: float = 0.8  # least cosine between where its upper side should be and where it is
    is_round: bool = False  # any side may be up, as long as it lies as it should
    seed: int = 0


def find_flight(item: Item, body: Body, cue: Cue) -> Points:
    """The item's matrices (N, 4, 4), one a step: from the last one out of sight to the first one at rest."""
    rng = np.random.default_rng([cue.seed, *item.label.encode()])
    best, least = None, np.inf
    for throw in _throws(item, cue, rng):
        path = fly(item, body, throw, TRIED_S)
        judged = _judge(item, path, cue)
        if judged is None:
            continue
        flight, cost = judged
        if cost < least:
            best, least = flight, cost
        if least < GOOD_ENOUGH:
            break
    if best is None:
        raise SystemExit(f"no throw from {cue.from_deg} degrees lets the {item.label} item lie well: give another cue")
    return best


def _throws(item: Item, cue: Cue, rng: np.random.Generator) -> Iterator[Throw]:
    reach = float(np.ptp(_outline(item), axis=0).max()) / 2
    for _ in range(NUM_TRIES):
        heading = np.radians(cue.from_deg + rng.uniform(-18, 18))
        far = TRAY_HALF[0 if abs(np.cos(heading)) > 0.75 else 1] + reach + rng.uniform(3, 6)
        height = 9.0 + reach * 0.6 + rng.uniform(1.0, 5.0)
        fall_s = float(np.sqrt(2 * height / 981.0))
        speed = (far - rng.uniform(-1.0, 6.0)) / fall_s * rng.uniform(0.62, 0.95)
        turn = rotation((0, 0, 1), rng.uniform(0, 2 * np.pi)) @ rotation(rng.normal(size=3), rng.uniform(0, 0.5))
        yield Throw(
            at=(far * np.cos(heading), far * np.sin(heading), height),
            turn=turn @ item.pose,
            velocity=(-speed * np.cos(heading), -speed * np.sin(heading), rng.uniform(-20, 45)),
            spin=tuple(rng.normal(size=3) * cue.spin / np.sqrt(3)),
        )


def _judge(item: Item, path: Points, cue: Cue) -> tuple[Points, float] | None:
    """The part of the path that is worth showing and what it costs; None where it is not to be shown."""
    outline = _outline(item)
    places = np.einsum("nij,kj->nki", path[:, :3, :3], outline) + path[:, None, :3, 3]
    away = np.linalg.norm(places - places[-1], axis=2).max(axis=1)
    moving = np.flatnonzero(away > _STILL_CM)
    settled = int(moving[-1]) + 1 if len(moving) else 0
    low, high = places[-1].min(axis=0), places[-1].max(axis=0)
    room = np.array(TRAY_HALF) - _FROM_RIM
    is_inside = np.all(low[:2] > -room) and np.all(high[:2] < room) and low[2] > -0.15
    if settled >= len(path) - STEP_HZ // 10 or not is_inside:
        return None
    seen = [index for index in range(settled) if is_in_sight(places[index])]
    if not seen or seen[0] == 0:
        return None
    upright = float(path[-1, 2, :3] @ item.pose[2])
    if upright < cue.upright or (cue.is_round and abs(path[-1, 2, 2] - item.pose[2, 2]) > _MOST_LEAN):
        return None
    aside = float(np.linalg.norm((low + high)[:2] / 2 - (0.0, -0.5)))
    cost = (settled - seen[0]) / STEP_HZ + 0.1 * aside + (0.0 if cue.upright < 0 else 1 - upright)
    return path[seen[0] - 1 : settled + 1], cost


def _outline(item: Item) -> Points:
    """A few hundred points of the item, (K, 3)."""
    points = np.concatenate([part.grid.points.reshape(-1, 3) for part in item.parts])
    return points[:: max(1, len(points) // 400)]
