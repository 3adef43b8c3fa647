"""The whole bin over simulated items on many grounds: found, missed, right, wrong, unknown, and how fast.

python -m tests.bench.simulated_items --trashnet ../shared/data/trashnet --empty ../shared/data/bins/empty
    [--split val] [--seed 21] [--clips FOLDER] [--set SECTION.KEY=VALUE ...]

Items are cut out of TrashNet's pictures of one split and pasted on drawn and on real grounds, each clip under its
own light; clips stay in --clips, so that two settings can be held against each other on the same ones.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from edge.clock import ReplayClock
from edge.confidence import wilson_interval
from edge.config import load_config
from edge.config.sections import ReplayCameraSection
from edge.messages import Decision, Image
from edge.preprocess import load_picture
from edge.scoring import load_truth, score
from edge.service import open_rehearsal
from edge.simulation import Conditions, Cutout, Plan, Scene, cut_out, write_clip
from edge.simulation.grounds import GROUNDS, render_ground

# TrashNet's photographs are 4:3 landscapes that the copy stores squeezed into 384x512 portraits.
WIDEN = 16 / 9
ITEMS_PER_CLIP = 9
NUM_EACH = 21  # of each of the six classes: 126 items


def items_of(trashnet: Path, split: str, seed: int) -> list[Cutout]:
    """NUM_EACH items of each class, in random order."""
    with (trashnet / "groups.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    rng = np.random.default_rng(seed)
    chosen = []
    for label in sorted({row["label"] for row in rows}):
        paths = [row["path"] for row in rows if row["label"] == label]
        picked = [paths[index] for index in rng.permutation(len(paths))[:NUM_EACH]]
        chosen += [cut_out(_widened(load_picture(trashnet / path)), label, path) for path in picked]
    return [chosen[index] for index in rng.permutation(len(chosen))]


def _widened(image: Image) -> Image:
    return cv2.resize(image, (round(image.shape[1] * WIDEN), image.shape[0]), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def grounds_of(empty: Path, seed: int) -> list[Image]:
    """Every ground that can be drawn, and every real empty scene."""
    drawn = [render_ground(name, np.random.default_rng([seed, n]), 640, 480) for n, name in enumerate(GROUNDS)]
    return drawn + [load_picture(path) for path in sorted(empty.glob("*.jpg"))]


def build(folder: Path, items: list[Cutout], grounds: list[Image], seed: int) -> None:
    """Write the clips that are not there yet, each with its truth."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(0, len(items), ITEMS_PER_CLIP):
        clip = folder / f"{index // ITEMS_PER_CLIP:02d}.avi"
        if not clip.with_suffix(".json").exists():
            conditions = Conditions.draw(np.random.default_rng([seed, index]))
            ground = grounds[(index // ITEMS_PER_CLIP) % len(grounds)]
            write_clip(Scene(items[index : index + ITEMS_PER_CLIP], ground, Plan(), conditions, seed + index), clip)


def decisions_over(clip: Path, overrides: list[str]) -> list[Decision]:
    """What the loop decides over a clip."""
    camera = ReplayCameraSection(backend="replay", source=clip)
    config = load_config(None, overrides, {}).model_copy(update={"camera": camera})
    decisions: list[Decision] = []
    with open_rehearsal(config, ReplayClock(), [lambda record: decisions.append(record.decision)]) as loop:
        loop.run_to_end()
    return decisions


def measure(folder: Path, overrides: list[str]) -> None:
    """Score every clip, and print the sums with 95 % intervals."""
    total: Counter[str] = Counter()
    for clip in sorted(folder.glob("*.avi")):
        found = score(decisions_over(clip, overrides), load_truth(clip.with_suffix(".json")))
        total.update({name: value for name, value in found.to_json().items() if isinstance(value, int)})
        print(f"{clip.name}: {found.num_right} right, {found.num_wrong} wrong, {found.num_unknown} unknown,", end=" ")
        print(f"{found.num_missed} missed, {found.num_invented} invented, {found.num_doubled} decided twice;", end=" ")
        print(f"p50 {found.settled_to_decided_p50_s} s, p95 {found.settled_to_decided_p95_s} s")
    print(dict(total))
    accepted = total["num_right"] + total["num_wrong"]
    for name, part, whole in (
        ("right of the accepted", total["num_right"], accepted),
        ("unknown", total["num_unknown"], total["num_events"]),
    ):
        low, high = wilson_interval(part, whole)
        print(f"{name}: {part / whole:.1%} ({part}/{whole}, 95 %: {low:.1%} to {high:.1%})")


def main() -> None:
    """Build what is missing, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trashnet", type=Path, required=True)
    parser.add_argument("--empty", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.clips or Path(scratch)
        items = items_of(arguments.trashnet, arguments.split, arguments.seed)
        build(folder, items, grounds_of(arguments.empty, arguments.seed), arguments.seed)
        measure(folder, arguments.overrides)


if __name__ == "__main__":
    main()
