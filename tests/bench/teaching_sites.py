"""Simulated sites on which teaching is measured: hard light, hard grounds, small items, and a camera's view of them.

python -m tests.bench.teaching_sites --trashnet ../shared/data/trashnet --out FOLDER [--seed 4]

Writes FOLDER/<site>/<class>/<picture>-<n>.png: the crops that presence finds of each item at rest, a few frames of
each. `tests.bench.teaching` teaches with some of them and judges with others.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.messages import Box, Frame, Image, Phase
from edge.preprocess import crop, square_around
from edge.presence import PresenceDetector
from edge.simulation import Conditions, Cutout, Plan, Scene
from edge.simulation.lens import Lens
from tests.bench.trashnet_items import items_of
from tests.edge.simulation.grounds import render_ground

NUM_SETTLING = 6  # frames that presence needs to see that an item lies still
NUM_EACH = 48  # items of each class at most
ITEMS_PER_SCENE = 30
PLAN = Plan(lead_s=0.5, hand_only_share=0.0)


@dataclass(frozen=True, slots=True)
class SimulatedSite:
    """A place for a bin: what lies under its items, how large they look, and its light."""

    ground: str
    scale: tuple[float, float]
    conditions: Conditions


SITES = {
    "warm-speckled": SimulatedSite(
        "speckled", (0.18, 0.38), Conditions(brightness=0.6, tint=(1.35, 0.95, 0.55), noise=3.0, blur_px=0.8)
    ),
    "cold-cardboard": SimulatedSite(
        "cardboard", (0.2, 0.4), Conditions(brightness=0.8, tint=(0.7, 1.0, 1.35), noise=2.0, blur_px=0.6)
    ),
    "dim-tiles": SimulatedSite(
        "tiles", (0.25, 0.5), Conditions(brightness=0.25, tint=(0.85, 1.15, 0.8), noise=3.0, blur_px=1.0)
    ),
}


def crops_at(site: SimulatedSite, items: list[Cutout], seed: int) -> Iterator[tuple[Cutout, list[Image]]]:
    """Each item with the crops that presence makes of it at rest, none where it was not found."""
    ground = render_ground(site.ground, np.random.default_rng(seed), PLAN.width_px, PLAN.height_px)
    plan = Plan(**{name: getattr(PLAN, name) for name in PLAN.__slots__} | {"scale": site.scale})
    lens = Lens(site.conditions, np.random.default_rng([seed, 2]), shift_at_s=1e9)
    empty = [lens.photograph(ground.astype(np.float32), index / 12).astype(np.float32) for index in range(12)]
    background = np.mean(empty, axis=0).round().astype(np.uint8)
    for begin in range(0, len(items), ITEMS_PER_SCENE):
        scene = Scene(items[begin : begin + ITEMS_PER_SCENE], ground, plan, site.conditions, seed * 1000 + begin)
        yield from _crops_of(scene, PresenceDetector(background=background), lens)


def _crops_of(scene: Scene, presence: PresenceDetector, lens: Lens) -> Iterator[tuple[Cutout, list[Image]]]:
    """Only the moments at rest: coming and going, and a new photograph each time, would cost most of the time."""
    times = itertools.count()

    def frame(image: Image) -> Frame:
        sequence = next(times)
        return Frame(sequence, sequence / PLAN.rate_hz, image)

    empty = lens.photograph(scene.exposed(0.0), 0.0)
    for visit in scene.visits:
        photographs = [lens.photograph(scene.exposed(visit.settled_s + 0.1), visit.settled_s + n) for n in range(2)]
        presence.update(frame(empty))
        seen = [(image, presence.update(frame(image))) for image in [photographs[0]] * NUM_SETTLING + photographs[1:]]
        yield (
            visit.items[0],
            [
                _cropped(image, one.box)
                for image, one in seen[NUM_SETTLING - 1 :]
                if one.box and one.phase is Phase.SETTLED
            ],
        )


def _cropped(image: Image, box: Box) -> Image:
    height, width = image.shape[:2]
    return crop(image, square_around(box, width, height)).copy()


def write_site(name: str, items: list[Cutout], out: Path, seed: int) -> None:
    """Write one site's crops, and say how many items were found."""
    num_found = 0
    for item, crops in crops_at(SITES[name], items, seed):
        num_found += bool(crops)
        folder = out / name / item.label
        folder.mkdir(parents=True, exist_ok=True)
        for index, picture in enumerate(crops):
            cv2.imwrite(str(folder / f"{Path(item.source).stem}-{index}.png"), picture[..., ::-1])
    print(f"{name}: {num_found} of {len(items)} items found", flush=True)


def main() -> None:
    """Write the crops of every site."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trashnet", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--site", dest="sites", action="append", choices=SITES)
    parser.add_argument("--seed", type=int, default=4)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    items = items_of(arguments.trashnet, arguments.split, NUM_EACH, arguments.seed)
    for name in arguments.sites or SITES:
        write_site(name, items, arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
