"""Simulated belts: items that pass and never rest. How many are missed, invented or decided twice?

    python tests/bench/belts.py ITEMS [--num-items 120] [--background PICTURE|FOLDER] [--seed 1]

ITEMS is a folder of `<class>/*.jpg`. The events alone are judged: every frame says the same class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np

from edge.items.passing import PassingTracker
from edge.items.smoothing import SmoothingSettings
from edge.items.tracking import ItemSettings
from edge.messages import Frame, Image, Prediction
from edge.presence import PresenceDetector, PresenceSettings
from edge.simulation import Conditions, Cutout, load_cutouts, load_grounds
from edge.simulation.lens import Lens
from edge.simulation.paste import Pose, paste

WIDTH_PX, HEIGHT_PX, RATE_HZ = 640, 360, 15.0
ITEMS_A_BELT = 10
# A decision within this of the moment when an item's middle crosses the line is that item's.
NEAR_S = 0.5


@dataclass(frozen=True, slots=True)
class Passage:
    """One item on its way to the right: its middle is at `enters_s * speed` before the left rim."""

    item: Cutout
    y_px: float
    angle_deg: float
    crosses_s: float

    def x_px(self, at_s: float, speed_px: float) -> float:
        return WIDTH_PX / 2 + (at_s - self.crosses_s) * speed_px


@dataclass(frozen=True, slots=True)
class Belt:
    """Items in a row over one ground, all at one speed in pixels a second; the ground moves too."""

    passages: tuple[Passage, ...]
    ground: Image
    speed_px: float
    seed: int

    def frames(self) -> Iterator[Frame]:
        """The clip, one second of empty belt before the first item."""
        rng = np.random.default_rng([self.seed, 1])
        lens = Lens(Conditions.draw(rng), rng, shift_at_s=0.0)
        lamp = np.array([0.6, 0.8])
        ground = cv2.resize(self.ground, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
        last_s = self.passages[-1].crosses_s + WIDTH_PX / self.speed_px + 1
        for index in range(int(last_s * RATE_HZ)):
            at_s = index / RATE_HZ
            canvas = ground.copy()
            for passage in self.passages:
                x_px = passage.x_px(at_s, self.speed_px)
                if -HEIGHT_PX < x_px < WIDTH_PX + HEIGHT_PX:
                    paste(canvas, passage.item, Pose(x_px, passage.y_px, 1.0, passage.angle_deg), 0.25, lamp)
            yield Frame(index, at_s, lens.photograph(canvas, at_s))


def plan_belt(cutouts: list[Cutout], ground: Image, seed: int) -> Belt:
    """A belt with these items: at times two in sight, one behind the other, never touching."""
    rng = np.random.default_rng([seed, 0])
    speed_px = WIDTH_PX * rng.uniform(0.25, 0.9)
    passages, rear_px = [], 0.0
    crosses_s = 1.0 + WIDTH_PX / speed_px
    for cutout in cutouts:
        longer_px = HEIGHT_PX * rng.uniform(0.2, 0.5)
        scale = longer_px / max(cutout.alpha.shape)
        size = (max(2, round(cutout.alpha.shape[1] * scale)), max(2, round(cutout.alpha.shape[0] * scale)))
        image = cv2.resize(cutout.image, size, interpolation=cv2.INTER_AREA)
        alpha = np.clip(cv2.resize(cutout.alpha, size, interpolation=cv2.INTER_AREA), 0, 1)
        item = Cutout(image, alpha, cutout.label, cutout.source)  # type: ignore[arg-type]
        reach_px = float(np.hypot(*size)) / 2
        gap_px = WIDTH_PX * rng.uniform(0.1, 1.0)
        crosses_s += (rear_px + gap_px + reach_px) / speed_px
        y_px = rng.uniform(min(reach_px, HEIGHT_PX / 2), max(HEIGHT_PX - reach_px, HEIGHT_PX / 2))
        passages.append(Passage(item, float(y_px), float(rng.uniform(0, 360)), crosses_s))
        rear_px = reach_px
    return Belt(tuple(passages), ground, speed_px, seed)


def decided_at(belt: Belt) -> list[tuple[float, bool, int]]:
    """When each decision fell, whether its item passed, and of how many frames."""
    presence = PresenceDetector(PresenceSettings())
    tracker = PassingTracker(ItemSettings(), SmoothingSettings())
    decisions = []
    for frame in belt.frames():
        target = tracker.follow(presence.update(frame), frame.captured_at_s)
        if target is not None:
            tracker.add(target, Prediction(np.array([1, 0], np.float32)))
        for item in tracker.waiting():
            decisions.append((frame.captured_at_s, item.has_passed, item.frames_used))
            tracker.close(item.item_id)
    return decisions


def judge(belt: Belt) -> tuple[int, int, int, list[int]]:
    """Missed, invented, decided twice, and the frames used for each item found."""
    free = [passage.crosses_s for passage in belt.passages]
    num_invented = num_twice = 0
    num_frames = []
    for at_s, has_passed, used in decided_at(belt):
        nearest = min(free, key=lambda crosses_s: abs(crosses_s - at_s), default=-1e9)
        if has_passed and abs(nearest - at_s) <= NEAR_S:
            free.remove(nearest)
            num_frames.append(used)
        elif any(abs(passage.crosses_s - at_s) <= NEAR_S for passage in belt.passages):
            num_twice += 1
        else:
            num_invented += 1
    return len(free), num_invented, num_twice, num_frames


@click.command()
@click.argument("items", type=click.Path(path_type=Path, exists=True))
@click.option("--background", type=click.Path(path_type=Path, exists=True), help="Empty scenes; default: flat grays.")
@click.option("--num-items", default=120)
@click.option("--seed", default=1)
def main(items: Path, background: Path | None, num_items: int, seed: int) -> None:
    """Judge the events of simulated belts that carry the photographs in ITEMS."""
    cutouts = load_cutouts(items, num_items)
    flat = [np.full((HEIGHT_PX, WIDTH_PX, 3), level, np.uint8) for level in (60, 110, 170)]
    grounds = load_grounds(background) if background is not None else flat
    totals = np.zeros(3, int)
    used: list[int] = []
    for number, first in enumerate(range(0, len(cutouts), ITEMS_A_BELT)):
        belt = plan_belt(cutouts[first : first + ITEMS_A_BELT], grounds[number % len(grounds)], seed * 1000 + number)
        missed, invented, twice, num_frames = judge(belt)
        totals += (missed, invented, twice)
        used += num_frames
        click.echo(f"belt {number}: {belt.speed_px:.0f} px/s, missed {missed}, invented {invented}, twice {twice}")
    click.echo(f"{len(cutouts)} items: {totals[0]} missed, {totals[1]} invented, {totals[2]} decided twice")
    click.echo(f"frames an item: median {np.median(used):.0f}, fewest {min(used, default=0)}")


if __name__ == "__main__":
    main()
