"""Renders the shipped pictures of the simulated camera: one empty bin, and one picture for each item.

    python3.11 -m venv blender && blender/bin/pip install bpy==5.0.1 "numpy<2" pillow
    blender/bin/python tests/scenes/render_stills.py edge/cameras/scenes

Same seed, same scene; the pixels differ between versions of Blender. A picture takes about half a
minute on one core. `--draft` renders small and rough, to look at while a scene is being designed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import containers
import flats
import numpy as np
from stage import Item, Place, as_camera, build_stage, lay_down, render, save_jpeg, seen_box

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Shot:
    """One item and where it lies."""

    build: Callable[[np.random.Generator], Item]
    place: Place
    seed: int = 0

    @property
    def name(self) -> str:
        return self.build.__name__


SHOTS = [
    Shot(containers.drink_can, Place(-1.5, 0.5, 0.6)),
    Shot(flats.open_box, Place(1.0, -0.5, 0.35)),
    Shot(containers.water_bottle, Place(0.5, 0.0, -0.9)),
    Shot(flats.paper_ball, Place(2.0, 1.0, 0.0)),
    Shot(containers.brown_bottle, Place(-0.5, 0.0, 1.1)),
    Shot(flats.chips_bag, Place(-2.0, 0.5, 0.5)),
    Shot(containers.crushed_can, Place(2.5, -1.0, -0.5)),
    Shot(flats.newspaper, Place(0.0, 0.0, 0.4)),
    Shot(containers.green_bottle, Place(0.0, 0.5, -1.2)),
    Shot(flats.flat_box, Place(-1.0, 0.5, 0.2)),
    Shot(containers.milk_bottle, Place(0.5, -0.5, 0.9)),
    Shot(flats.napkin, Place(-1.5, 0.0, 0.0)),
    Shot(containers.tin_can, Place(1.0, 0.5, 2.2)),
    Shot(containers.clear_bottle, Place(-0.5, 0.0, 0.7)),
]
CANDIDATES = [
    Shot(flats.candy_wrapper, Place(1.5, 0.5, -0.4)),
    Shot(flats.crumpled_page, Place(0.0, 0.0, 0.3)),
    Shot(flats.closed_box, Place(-0.5, 0.0, -0.3)),
    Shot(containers.soda_bottle, Place(0.5, 0.0, 0.8)),
    Shot(containers.standing_can, Place(-2.0, 1.0, 0.0)),
    Shot(containers.jar, Place(1.5, -0.5, -0.6)),
    Shot(containers.paper_cup, Place(-0.5, 0.5, 1.9)),
    Shot(flats.white_tissue, Place(1.0, 0.0, 0.0)),
    Shot(flats.clear_film, Place(0.0, 0.0, 0.0)),
]


@dataclass(frozen=True, slots=True)
class Quality:
    """How much work goes into a picture."""

    num_samples: int
    scale: float
    num_threads: int


def known_lines(path: Path) -> dict[str, dict[str, object]]:
    """The lines of an index that stands, by file: what is not rendered again keeps its line."""
    if not path.exists():
        return {}
    return {line["file"]: line for line in json.loads(path.read_text())["items"]}


def set_up(shot: Shot) -> dict[str, object]:
    """Builds the scene of one shot and gives its line of the index."""
    build_stage()
    item = shot.build(np.random.default_rng([shot.seed, *shot.name.encode()]))
    box = seen_box(lay_down(item, shot.place))
    return {"file": f"{shot.name}.jpg", "label": item.label, "box": list(box)}


def render_to(path: Path, quality: Quality) -> None:
    """Renders the scene that stands, with the noise of a sensor, and prints how long it took."""
    started_s = time.monotonic()
    seed = sum(path.stem.encode())
    picture = render(quality.num_samples, quality.scale, seed, quality.num_threads)
    save_jpeg(as_camera(picture, seed), path)
    print(f"{path.name}: {time.monotonic() - started_s:.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--only",
        nargs="*",
        default=[],
        metavar="NAME",
        help="render these pictures alone; the others keep their lines of the index",
    )
    parser.add_argument("--candidates", action="store_true", help="also what is designed but not shipped")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--draft", action="store_true", help="half the size, 16 samples")
    options = parser.parse_args()
    quality = Quality(16, 0.5, options.threads) if options.draft else Quality(options.samples, 1.0, options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)
    lines = known_lines(options.folder / "scenes.json")
    shots = SHOTS + (CANDIDATES if options.candidates else [])
    for shot in shots:
        if not options.only or shot.name in options.only:
            lines[f"{shot.name}.jpg"] = set_up(shot)
            render_to(options.folder / f"{shot.name}.jpg", quality)
    if not options.only or "empty" in options.only:
        build_stage()
        render_to(options.folder / "empty.jpg", quality)
    items = [lines[name] for shot in shots if (name := f"{shot.name}.jpg") in lines]
    index = {"schema": SCHEMA, "empty": "empty.jpg", "items": items}
    (options.folder / "scenes.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
