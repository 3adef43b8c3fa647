"""Renders the simulated camera's film: items thrown into a bin one after another, each dropped by the flap.

    python3.11 -m venv blender && blender/bin/pip install bpy==5.0.1 "numpy<2" pillow
    blender/bin/python tests/scenes/render_film.py WORK
    blender/bin/python tests/scenes/cut_film.py WORK edge/cameras/scenes

Throws, then pictures, each kept as a file in WORK: what is there already is not made again, so that it may be
stopped at any time. Only what an item changes is rendered, the rest is the empty bin's own picture. It takes
about half an hour on two cores. `--draft` renders small and rough, to look at while a scene is being designed.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import containers
import flats
import numpy as np
from motion import FLAP_SWING_S, STEP_HZ, Body, drop, flap_angle
from shapes import Points
from stage import (
    DARK_BELOW,
    HEIGHT_PX,
    WIDTH_PX,
    Item,
    animate,
    box_around,
    build_stage,
    is_in_sight,
    put,
    render,
    set_quality,
)
from stage import shadows as with_shadows
from throws import Cue, find_flight

RATE_HZ = 12
STRIDE = STEP_HZ // RATE_HZ  # steps of the mechanics from frame to frame of the film
WHOLE = (0, 0, WIDTH_PX, HEIGHT_PX)
MARGIN_PX = 26  # around an item and its shadow: soft edges, and what it throws back of the light

ROUND = Body(bounce=0.25, friction=0.6, drag=0.6, spin_drag=0.995)
HEAVY = Body(bounce=0.12, friction=0.6, drag=0.5, spin_drag=0.995)
BOARD = Body(bounce=0.12, friction=0.7, drag=0.4, spin_drag=0.9)
LIGHT = Body(bounce=0.1, friction=0.8, drag=0.6, spin_drag=0.95)


@dataclass(frozen=True, slots=True)
class Visit:
    """One item of the film, how it bounces and how it comes."""

    build: Callable[[np.random.Generator], Item]
    body: Body
    cue: Cue

    @property
    def name(self) -> str:
        return self.build.__name__

    def item(self) -> Item:
        return self.build(np.random.default_rng([0, *self.name.encode()]))


VISITS = [
    Visit(containers.tin_can, ROUND, Cue(-110, upright=-1.0, is_round=True)),
    Visit(flats.newspaper, LIGHT, Cue(-95, spin=1.0)),
    Visit(containers.water_bottle, ROUND, Cue(-120, upright=0.3, is_round=True)),
    Visit(flats.open_box, BOARD, Cue(-60, spin=3.0)),
    Visit(containers.brown_bottle, HEAVY, Cue(185, upright=0.5, is_round=True)),
    Visit(flats.chips_bag, LIGHT, Cue(-90, spin=2.0)),
    Visit(containers.crushed_can, ROUND, Cue(-75, upright=-1.0, is_round=True)),
    Visit(flats.paper_ball, LIGHT, Cue(-50, spin=8.0, upright=-1.0)),
    Visit(containers.green_bottle, HEAVY, Cue(-10, upright=0.5, is_round=True)),
    Visit(flats.flat_box, BOARD, Cue(-100, spin=2.0)),
    Visit(containers.milk_bottle, HEAVY, Cue(-80, is_round=True)),
    Visit(containers.clear_bottle, HEAVY, Cue(-130, upright=-1.0, is_round=True)),
]


@dataclass(frozen=True, slots=True)
class Quality:
    """How much work goes into a picture: samples a pixel, and its size as a share of the film's."""

    num_samples: int
    scale: float


@dataclass(frozen=True, slots=True)
class Qualities:
    """The same while things move, which blurs them, at rest, and of the empty bin."""

    moving: Quality
    resting: Quality
    empty: Quality


FINE = Qualities(moving=Quality(4, 0.5), resting=Quality(10, 1.0), empty=Quality(16, 1.0))
DRAFT = Qualities(moving=Quality(4, 0.4), resting=Quality(6, 0.6), empty=Quality(8, 0.6))


def plan(visit: Visit, folder: Path) -> Points:
    """The visit's matrices (N, 4, 4), a step each; `visit.json` beside them says at which step it rests and ends."""
    item = visit.item()
    folder.mkdir(parents=True, exist_ok=True)
    flight = find_flight(item, visit.body, visit.cue)
    # The last frame of the flight is the item at rest.
    flight = np.concatenate([np.repeat(flight[:1], -(len(flight) - 1) % STRIDE, axis=0), flight])
    fall = drop(item, visit.body, flight[-1], FLAP_SWING_S + 0.1)
    path = np.concatenate([flight, fall])
    points = _points(item)
    sights = [_seen(points @ matrix[:3, :3].T + matrix[:3, 3]) for matrix in path[::STRIDE]]
    rest = (len(flight) - 1) // STRIDE
    boxes = [box_around(sight, MARGIN_PX) if len(sight) and is_in_sight(sight) else None for sight in sights]
    tight = box_around(points @ flight[-1, :3, :3].T + flight[-1, :3, 3])
    record = {"name": visit.name, "label": item.label, "rest": rest, "boxes": boxes, "box": tight}
    np.save(folder / "path.npy", path)
    (folder / "visit.json").write_text(json.dumps(record))
    return path


def _seen(points: Points) -> Points:
    """What of the points (K, 3) is not too deep, with their shadows."""
    return with_shadows(points[points[:, 2] > DARK_BELOW])


def _points(item: Item) -> Points:
    points = np.concatenate([part.grid.points.reshape(-1, 3) for part in item.parts])
    return points[:: max(1, len(points) // 3000)]


def render_empty(work: Path, qualities: Qualities) -> None:
    """The empty bin, and each frame of the flap's swing."""
    num_frames = round(FLAP_SWING_S * RATE_HZ) + 1
    wanted = [work / f"flap_{index:02}.png" for index in range(num_frames)]
    if all(path.exists() for path in wanted):
        return
    flap = build_stage()
    _swing(flap, 1, num_frames * STRIDE)  # as in a visit, where it is let go one step after the item's last at rest
    for index, path in enumerate(wanted):
        _render_once(path, index * STRIDE, WHOLE, qualities.moving if index else qualities.empty)


def render_visit(visit: Visit, work: Path, qualities: Qualities) -> None:
    """Every picture of one visit."""
    folder = work / visit.name
    if not (folder / "visit.json").exists():
        started_s = time.monotonic()
        plan(visit, folder)
        print(f"{visit.name}: thrown in {time.monotonic() - started_s:.0f} s", flush=True)
    record, path = json.loads((folder / "visit.json").read_text()), np.load(folder / "path.npy")
    wanted = list(_pictures(record, folder))
    if all(picture.exists() for _, picture, _ in wanted):
        return
    flap = build_stage()
    animate(put(visit.item()), path)
    rest_step = record["rest"] * STRIDE
    _swing(flap, rest_step + 1, len(path) - rest_step - 1)
    for index, picture, box in wanted:
        _render_once(picture, index * STRIDE, box, qualities.resting if index == record["rest"] else qualities.moving)


def _pictures(record: dict[str, object], folder: Path) -> Iterator[tuple[int, Path, tuple[int, int, int, int]]]:
    """The frames in which the item is in sight, the one at rest first: number, file and box."""
    boxes = record["boxes"]
    order = sorted(range(len(boxes)), key=lambda index: index != record["rest"])
    for index in order:
        if boxes[index] is not None and boxes[index][2] > 0 and boxes[index][3] > 0:
            yield index, folder / f"{index:02}.png", tuple(boxes[index])


def _swing(flap: bpy.types.Object, start: int, num_steps: int) -> None:
    turns = np.tile(np.eye(4), (start + num_steps, 1, 1))
    turns[:, :3, 3] = flap.location
    for step in range(num_steps):
        angle = flap_angle(step / STEP_HZ)
        turns[start + step, 1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    animate(flap, turns)


def _render_once(path: Path, frame: int, box: tuple[int, int, int, int], quality: Quality) -> None:
    if path.exists():
        return
    started_s = time.process_time()
    bpy.context.scene.render.fps = STEP_HZ
    set_quality(quality.num_samples, quality.scale)
    unfinished = path.with_suffix(".part.png")
    render(frame, box, zlib.crc32(f"{path.parent.name}/{path.name}".encode()) % 10_000, unfinished)
    unfinished.replace(path)
    print(f"{path.parent.name}/{path.name}: {time.process_time() - started_s:.1f} s of processor", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="render these items alone, or `empty`")
    parser.add_argument("--draft", action="store_true", help="half the size, few samples")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    (options.work / "visits.json").write_text(json.dumps([visit.name for visit in VISITS]))
    qualities = DRAFT if options.draft else FINE
    if not options.only or "empty" in options.only:
        render_empty(options.work, qualities)
    for visit in VISITS:
        if not options.only or visit.name in options.only:
            render_visit(visit, options.work, qualities)


if __name__ == "__main__":
    main()
