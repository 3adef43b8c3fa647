"""Items that are hard to notice, by kind: how many are found, where they lie, and how soon.

python -m tests.bench.hard_items ITEMS [--num-items 24] [--seed 1] [--keep FOLDER]

ITEMS is a folder of `<class>/*.jpg`; each is cut out and made thin, clear, dark or of the ground's own color. Presence
alone is judged. `--keep` writes a picture of each item at rest, with what was found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click
import cv2
import numpy as np

from edge.confidence import wilson_interval
from edge.messages import Box, Image, Phase, Presence
from edge.presence import PresenceDetector
from edge.simulation import Conditions, Cutout, Plan, Scene, load_cutouts
from tests.edge.simulation.grounds import GROUNDS, render_ground

WIDTH, HEIGHT = 480, 360
PLAN = Plan(WIDTH, HEIGHT, lead_s=1.2, rest_s=(1.4, 1.5), scale=(0.3, 0.6), hand_only_share=0.0)
# What is found lies there when the boxes share this much of what they cover together; a crop has a margin beside.
SHARED = 0.5

# A cutout and a source of chance become what lies there and the ground below it.
Make = Callable[[Cutout, np.random.Generator], tuple[Cutout, Image]]


def _any_ground(chance: np.random.Generator) -> Image:
    return render_ground(str(chance.choice(list(GROUNDS))), chance, WIDTH, HEIGHT)


def _plain(item: Cutout, chance: np.random.Generator) -> tuple[Cutout, Image]:
    return item, _any_ground(chance)


def _thin(item: Cutout, chance: np.random.Generator) -> tuple[Cutout, Image]:
    """A straw, a pen, a strip: 25 to 40 times as long as it is thick."""
    length, thickness = 800, round(800 / chance.uniform(25, 40))
    image = cv2.resize(item.image, (length, thickness), interpolation=cv2.INTER_AREA)
    return replace(
        item, image=np.asarray(image, np.uint8), alpha=np.ones((thickness, length), np.float32)
    ), _any_ground(chance)


def _clear(item: Cutout, chance: np.random.Generator) -> tuple[Cutout, Image]:
    """Clear plastic: a tenth of the light comes from the item, half of it at its rim."""
    reach = max(3, round(0.03 * max(item.alpha.shape)))
    inner = cv2.erode(item.alpha, np.ones((2 * reach + 1,) * 2, np.uint8))
    rim = cv2.GaussianBlur(item.alpha - inner, (0, 0), reach / 3)
    alpha = np.clip(0.1 * item.alpha + 0.45 * rim, 0, 1).astype(np.float32)
    return replace(item, alpha=alpha), _any_ground(chance)


def _dark(item: Cutout, chance: np.random.Generator) -> tuple[Cutout, Image]:
    """A dark item on dark ground, both below a fifth of white."""
    image = (item.image * 0.12 + chance.uniform(5, 25)).astype(np.uint8)
    return replace(item, image=image), render_ground("dark", chance, WIDTH, HEIGHT)


def _same_color(item: Cutout, chance: np.random.Generator) -> tuple[Cutout, Image]:
    """On ground of the item's own mean color: a cardboard box on a cardboard flap."""
    name = "cardboard" if item.label == "cardboard" else "grey"
    ground = render_ground(name, chance, WIDTH, HEIGHT).astype(np.float32)
    color = item.image[item.alpha > 0.5].mean(axis=0)
    shaded = np.clip(ground * (color / ground.mean(axis=(0, 1))), 0, 255)
    return item, shaded.astype(np.uint8)


def _even_color(item: Cutout, chance: np.random.Generator) -> tuple[Cutout, Image]:
    """The same, and the item shows only a quarter of its contrast: a sheet of paper on white."""
    item, ground = _same_color(item, chance)
    mean = item.image[item.alpha > 0.5].mean(axis=0)
    return replace(item, image=(mean + 0.25 * (item.image - mean)).clip(0, 255).astype(np.uint8)), ground


KINDS: dict[str, Make] = {
    "ordinary": _plain,
    "thin": _thin,
    "clear": _clear,
    "dark on dark": _dark,
    "ground's color": _same_color,
    "its color, faint": _even_color,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What presence said of one item: `settled_s` after it came to rest, None when it was not settled in time."""

    settled_s: float | None
    has_place: bool
    is_many: bool
    num_before: int


def watch(scene: Scene, true_box: Box, keep: Path | None) -> Finding:
    """One visit, seen by a detector that learns the empty scene first."""
    detector, (visit,) = PresenceDetector(), scene.visits
    settled: tuple[float, Presence] | None = None
    is_many, num_before, last = False, 0, None
    for frame in scene.frames():
        if frame.captured_at_s > visit.leaves_s:
            break
        presence = detector.update(frame)
        num_before += frame.captured_at_s < visit.enters_s - 0.1 and presence.phase is not Phase.EMPTY
        if frame.captured_at_s >= visit.settled_s and settled is None:
            is_many = is_many or presence.phase is Phase.MANY
            if presence.phase is Phase.SETTLED:
                settled = frame.captured_at_s - visit.settled_s, presence
        last = frame.image, presence
    if keep is not None and last is not None:
        _draw(keep, *last, true_box)
    box = settled[1].box if settled is not None else None
    has_place = box is not None and _shared(box, true_box) >= SHARED
    return Finding(None if settled is None else settled[0], has_place, is_many, num_before)


def _shared(first: Box, second: Box) -> float:
    width = min(first.x + first.width, second.x + second.width) - max(first.x, second.x)
    height = min(first.y + first.height, second.y + second.height) - max(first.y, second.y)
    common = max(0, width) * max(0, height)
    return common / max(1, first.width * first.height + second.width * second.height - common)


def _draw(path: Path, image: Image, presence: Presence, true_box: Box) -> None:
    drawn = np.ascontiguousarray(image[..., ::-1])
    for box, color in ((true_box, (0, 255, 0)), (presence.box, (0, 0, 255))):
        if box is not None:
            cv2.rectangle(drawn, (box.x, box.y), (box.x + box.width, box.y + box.height), color, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path.with_name(f"{path.stem}_{presence.phase.value}.jpg")), drawn)


@click.command()
@click.argument("items", type=click.Path(path_type=Path, exists=True))
@click.option("--num-items", default=24)
@click.option("--seed", default=1)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)))
@click.option("--keep", type=click.Path(path_type=Path))
def main(items: Path, num_items: int, seed: int, kinds: tuple[str, ...], keep: Path | None) -> None:
    """Judge presence on hard items made of the photographs in ITEMS."""
    cv2.setNumThreads(1)
    cutouts = load_cutouts(items, num_items)
    click.echo(f"{'kind':18}{'found':>22}{'in place':>10}{'as several':>12}{'p95 to rest':>13}{'in nothing':>12}")
    for kind in kinds or KINDS:
        findings = []
        for number, cutout in enumerate(cutouts):
            chance = np.random.default_rng([seed, number])
            item, ground = KINDS[kind](cutout, chance)
            scene = Scene([item], ground, PLAN, Conditions.draw(chance), seed * 1000 + number)
            path = None if keep is None else keep / f"{kind.replace(' ', '_')}_{number:02d}.jpg"
            # The same visit of the whole silhouette: a clear item hardly covers anything.
            solid = Scene([replace(item, alpha=np.ceil(item.alpha - 0.02))], ground, PLAN, Conditions(), scene.seed)
            findings.append(watch(scene, solid.box_of(solid.visits[0]), path))
        settled_s = [finding.settled_s for finding in findings if finding.settled_s is not None]
        low, high = wilson_interval(len(settled_s), len(findings))
        found = f"{len(settled_s)}/{len(findings)} ({low:.0%} to {high:.0%})"
        in_place, several = sum(one.has_place for one in findings), sum(one.is_many for one in findings)
        p95 = f"{np.percentile(settled_s, 95):.2f} s" if settled_s else "-"
        nothing = sum(one.num_before > 0 for one in findings)
        click.echo(f"{kind:18}{found:>22}{in_place:>10}{several:>12}{p95:>13}{nothing:>12}")


if __name__ == "__main__":
    main()
