"""Bins whose lamp goes on with the lid: is what comes at that moment seen, and the lamp's own work taken for nothing?

python -m tests.bench.lamps TRASHNET [--num 60] [--seed 1]

The lamp was on when the empty scene was learned, has been off since, and comes on again; in two of three scenes an item
comes, at most half a second before or a second after it. Rooms are from nearly dark to dim, lamps even, at one side, a
spot, colored, or mirrored in the ground; every other camera exposes by itself. Presence and the tracker alone are
judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from edge.items.resting import RestTracker
from edge.items.smoothing import SmoothingSettings
from edge.messages import Frame, Image, Prediction
from edge.presence import PresenceDetector
from edge.simulation import Conditions, Cutout
from edge.simulation.lens import Lens
from edge.simulation.paste import Pose, paste
from tests.bench.trashnet_items import items_of
from tests.edge.simulation.grounds import GROUNDS, render_ground

WIDTH, HEIGHT, RATE_HZ = 320, 240, 12.0
# Seconds: the lamp goes off and on again; an item rests, and the lamp goes off some time after it has gone.
OFF_S, ON_S, RESTS_S, AFTER_S, END_S = 3.0, 28.0, 2.5, 1.5, 4.0
COMES_S = (-0.5, -0.2, 0.0, 0.1, 0.3, 0.6, 1.0)  # after the lamp
ROOMS = (0.0005, 0.02, 0.15, 0.4)  # of the lamp's light, linear
LAMPS = ("even", "side", "spot", "colored", "mirrored")
GAMMA = 2.2
# A camera that exposes by itself goes for this mean, with this time constant in seconds, within these gains.
MEAN, FOLLOWS_S, GAINS = 0.45, 0.35, (0.3, 8.0)

Floats = NDArray[np.float32]


def lamp_of(kind: str, chance: np.random.Generator) -> Floats:
    """The light of a lamp on the ground, (H, W, 3) linear, about 1."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j].astype(np.float32)
    light = np.ones((HEIGHT, WIDTH, 3), np.float32)
    if kind == "side":
        turn = chance.uniform(0, 2 * np.pi)
        light *= (1 + 0.54 * (np.cos(turn) * x + np.sin(turn) * y))[..., None]
    if kind == "spot":
        left, top = chance.uniform(-0.5, 0.5, 2)
        light *= (0.3 + 1.1 * np.exp(-((x - left) ** 2 + (y - top) ** 2)))[..., None]
    if kind == "colored":
        light *= np.array([1.25, 1.0, 0.7], np.float32)
    return light


def mirrored(chance: np.random.Generator) -> Floats:
    """What a glossy ground shows of a lamp, (H, W, 1) linear."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j].astype(np.float32)
    shine = np.zeros((HEIGHT, WIDTH, 1), np.float32)
    for left, top in chance.uniform(-0.8, 0.8, (chance.integers(1, 4), 2)):
        size = chance.uniform(0.03, 0.12)
        shine[..., 0] += chance.uniform(0.3, 1.4) * np.exp(-((x - left) ** 2 + (y - top) ** 2) / (2 * size**2))
    return shine


class Site:
    """One ground, room, lamp and camera."""

    def __init__(self, chance: np.random.Generator) -> None:
        kind = str(chance.choice(LAMPS))
        self._ground = render_ground(str(chance.choice(list(GROUNDS))), chance, WIDTH, HEIGHT).astype(np.float32)
        self._room = lamp_of(str(chance.choice(LAMPS[:3])), chance) * np.float32(chance.choice(ROOMS))
        self._lamp = lamp_of(kind, chance)
        self._shine = mirrored(chance) * np.float32(kind == "mirrored")
        self._exposes = bool(chance.random() < 0.5)
        self._gain, self._at_s = 1.0, 0.0
        camera = replace(Conditions.draw(chance), exposure_drift=0, exposure_step=0, cast=0, banding=0)
        self._lens = Lens(camera, chance, shift_at_s=1e9)
        self._shadow = chance.uniform(-0.7, 0.7, 2)

    def frame(self, at_s: float, lamp: float, laid: tuple[Cutout, Pose] | None) -> Image:
        """What the camera gives, (H, W, 3) uint8 RGB, with so much of the lamp, 0..1; in order of time."""
        canvas = self._ground.copy()
        if laid is not None:
            paste(canvas, *laid, 0.25, self._shadow)
        reflected = cv2.pow(np.clip(canvas, 0, 255) / np.float32(255), GAMMA)
        light = self._room + self._lamp * np.float32(lamp)
        linear = np.asarray(reflected * light + self._shine * np.float32(lamp), np.float32)
        if self._exposes:
            self._expose(linear, at_s)
        seen = cv2.pow(np.clip(linear * np.float32(self._gain), 0, 1), 1 / GAMMA)
        return self._lens.photograph(np.asarray(255 * seen, np.float32), at_s)

    def _expose(self, linear: Floats, at_s: float) -> None:
        mean = float(np.mean(np.clip(linear[::4, ::4] * self._gain, 0, 1) ** (1 / GAMMA)))
        wanted = float(np.clip(self._gain * (MEAN / max(mean, 1e-3)) ** GAMMA, *GAINS))
        share = 1.0 if at_s == 0 else 1 - np.exp((self._at_s - at_s) / FOLLOWS_S)
        self._gain, self._at_s = self._gain * (wanted / self._gain) ** share, at_s


@dataclass(frozen=True, slots=True)
class Found:
    """How long after it came an item was decided, None when it was not; and how many decisions were too many."""

    after_s: float | None
    num_more: int


def times(end_s: float) -> Iterator[float]:
    """When frames come: once a second while nothing happens."""
    yield from np.arange(0, OFF_S, 1 / RATE_HZ)
    yield from np.arange(OFF_S, ON_S - 1, 1.0)
    yield from np.arange(ON_S - 1, end_s, 1 / RATE_HZ)


def watch(item: Cutout | None, chance: np.random.Generator) -> Found:
    """One scene; `item` is None where nothing comes."""
    site, detector, tracker = Site(chance), PresenceDetector(), RestTracker(SmoothingSettings())
    comes_s = ON_S + float(chance.choice(COMES_S))
    goes_s = comes_s + RESTS_S
    x_px, y_px = chance.uniform(0.25, 0.75, 2) * (WIDTH, HEIGHT)
    place = Pose(x_px, y_px, 1.0, chance.uniform(0, 360))
    decided: list[float] = []
    for index, at_s in enumerate(times(goes_s + AFTER_S + END_S)):
        lamp = at_s < OFF_S or ON_S <= at_s < goes_s + AFTER_S
        laid = (item, place) if item is not None and comes_s <= at_s < goes_s else None
        target = tracker.follow(detector.update(Frame(index, at_s, site.frame(at_s, float(lamp), laid))), at_s)
        if target is not None:
            tracker.add(target, Prediction(np.array([1, 0], np.float32)))
        for waiting in tracker.waiting():
            if waiting.is_many or waiting.has_left or waiting.frames_used >= 3:
                tracker.close(waiting.item_id)
                decided += [] if waiting.has_left else [at_s]
    own = [at_s for at_s in decided if item is not None and comes_s <= at_s < goes_s]
    return Found(own[0] - comes_s if own else None, len(decided) - min(1, len(own)))


def sized(item: Cutout, chance: np.random.Generator) -> Cutout:
    """A quarter to a half as long as the picture is high."""
    scale = HEIGHT * chance.uniform(0.25, 0.55) / max(item.alpha.shape)
    size = (max(2, round(item.alpha.shape[1] * scale)), max(2, round(item.alpha.shape[0] * scale)))
    image, alpha = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (item.image, item.alpha))
    return replace(item, image=np.asarray(image, np.uint8), alpha=np.clip(alpha, 0, 1))


@click.command()
@click.argument("trashnet", type=click.Path(path_type=Path))
@click.option("--num", default=60, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(trashnet: Path, num: int, seed: int) -> None:
    """Say how many items are missed, and how many decisions fall of which none was due."""
    cv2.setNumThreads(1)
    items = items_of(trashnet, "val", 10, seed)
    found: list[tuple[bool, Found]] = []
    for index in range(num):
        chance = np.random.default_rng([seed, index])
        has_item = index % 3 > 0
        found.append((has_item, watch(sized(items[index % len(items)], chance) if has_item else None, chance)))
    after_s = [one.after_s for has_item, one in found if has_item and one.after_s is not None]
    num_items = sum(has_item for has_item, _ in found)
    print(f"{num_items} items: {num_items - len(after_s)} missed; p95 {np.percentile(after_s, 95):.2f} s after rest")
    print(f"{num} scenes: {sum(one.num_more for _, one in found)} decisions too many")


if __name__ == "__main__":
    main()
