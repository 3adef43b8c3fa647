"""Items that lie there, and ghosts of things that were learned with the empty scene: which are taken for the other.

python -m tests.bench.ghosts TRASHNET [--num-items 24] [--seed 1]

Each item lies on each ground, once as what comes after the empty scene was learned, and once as what was learned with
it and is taken away: the first must be seen while it lies there, of the second nothing may be left. Items are cut out
of TrashNet's val part, and cards of one color: of the ground's own brightness, a little darker or lighter, and tinted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from edge.messages import Frame, Phase
from edge.presence import PresenceDetector
from edge.simulation import Cutout
from edge.simulation.paste import Pose, paste
from tests.bench.trashnet_items import items_of
from tests.edge.simulation.grounds import GROUNDS, render_ground

WIDTH, HEIGHT, RATE_HZ = 480, 360, 10
LEARN_S, LOOK_S = 1.5, 1.5
NOISE = 2.0  # grey levels
SHADES = (0.75, 0.85, 0.95, 1.05, 1.2)
TINTS = ((1.0, 1.0, 1.0), (0.73, 0.98, 1.29), (1.3, 1.0, 0.7))

Floats = NDArray[np.float32]


def cards(ground: Floats) -> Iterator[Cutout]:
    """Sheets of one color, about as bright as the ground."""
    for shade in SHADES:
        for tint in TINTS:
            color = float(ground.mean()) * shade * np.array(tint)
            sheet = np.broadcast_to(np.clip(color, 0, 255), (600, 800, 3)).astype(np.uint8)
            yield Cutout(sheet, np.ones((600, 800), np.float32), "card", f"{shade} {tint}")


def seen(scenes: tuple[Floats, Floats], chance: np.random.Generator) -> list[Phase]:
    """What presence says of the second scene after it has learned the first as empty."""
    detector, phases = PresenceDetector(), []
    for index in range(round((LEARN_S + LOOK_S) * RATE_HZ)):
        at_s = index / RATE_HZ
        scene = scenes[at_s >= LEARN_S]
        picture = np.clip(scene + chance.normal(0, NOISE, scene.shape), 0, 255).astype(np.uint8)
        phases.append(detector.update(Frame(index, at_s, picture)).phase)
    return phases[round(LEARN_S * RATE_HZ) :]


def laid(ground: Floats, item: Cutout, chance: np.random.Generator) -> Floats:
    """The ground with the item anywhere on it, a third to two thirds as long as the picture is high."""
    scene = ground.copy()
    scale = HEIGHT * chance.uniform(0.35, 0.65) / max(item.alpha.shape)
    x_px, y_px = chance.uniform(0.25, 0.75, 2) * (WIDTH, HEIGHT)
    paste(scene, item, Pose(x_px, y_px, scale, chance.uniform(0, 360)), shadow=0.2, lamp=np.array([0.7, 0.7]))
    return scene


@click.command()
@click.argument("trashnet", type=click.Path(path_type=Path))
@click.option("--num-items", default=24, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(trashnet: Path, num_items: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    photographs = items_of(trashnet, "val", num_items // 6, seed)
    print(f"{'ground':12}{'photographs: forgotten, unseen':>32}{'ghosts kept':>14}{'cards:':>16}{'':>14}{'':>14}")
    totals = np.zeros((2, 4), int)
    for name in GROUNDS:
        counts = np.zeros((2, 4), int)
        ground = render_ground(name, chance, WIDTH, HEIGHT).astype(np.float32)
        for kind, items in enumerate((photographs, list(cards(ground)))):
            for item in items:
                full = laid(ground, item, chance)
                there = seen((ground, full), chance)
                gone = seen((full, ground), chance)
                was_noticed = Phase.MOVING in there
                is_seen = there[-1] in (Phase.SETTLED, Phase.MANY)
                counts[kind] += (1, was_noticed and not is_seen, not was_noticed, gone[-1] is not Phase.EMPTY)
        totals += counts
        print(f"{name:12}", *(f"{f'{row[1]}, {row[2]} of {row[0]}':>20}{row[3]:>10}" for row in counts), flush=True)
    print(f"{'all':12}", *(f"{f'{row[1]}, {row[2]} of {row[0]}':>20}{row[3]:>10}" for row in totals))


if __name__ == "__main__":
    main()
