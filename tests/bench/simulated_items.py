"""The whole bin over simulated items on many grounds: found, missed, right, wrong, unknown, and how fast.

python -m tests.bench.simulated_items --trashnet ../shared/data/trashnet --empty ../shared/data/bins/empty
    [--split val] [--seed 21] [--pairs 0.9] [--banding 0.1] [--clips FOLDER] [--set SECTION.KEY=VALUE ...]

Items are cut out of TrashNet's pictures of one split and pasted on drawn and on real grounds, each clip under its
own light; clips stay in --clips, so that two settings can be held against each other on the same ones. With --pairs,
that share of the visits are of two items at once, to be told from one; with --banding the lamp of every clip leaves
stripes of that strength, which wander over the picture.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from edge.clock import ReplayClock
from edge.confidence import wilson_interval
from edge.config import load_config
from edge.config.sections import ReplayCameraSection
from edge.messages import Decision, Image
from edge.preprocess import load_picture
from edge.service import open_rehearsal
from edge.simulation import Conditions, Cutout, Plan, Scene, write_clip
from edge.truth.scoring import Score, Truth, TruthEvent, load_truth, score
from tests.bench.trashnet_items import items_of
from tests.edge.simulation.grounds import GROUNDS, render_ground

ITEMS_PER_CLIP = 9
# Between two clips, so that a late decision is not the next one's; seconds.
PAUSE_S = 10.0
NUM_EACH = 21  # of each of the six classes, as far as there are so many: 124 items of `val`


def grounds_of(empty: Path, seed: int) -> list[Image]:
    """Every ground that can be drawn, and every real empty scene."""
    drawn = [render_ground(name, np.random.default_rng([seed, n]), 640, 480) for n, name in enumerate(GROUNDS)]
    return drawn + [load_picture(path) for path in sorted(empty.glob("*.jpg"))]


def build(
    folder: Path, items: list[Cutout], grounds: list[Image], seed: int, pairs: float, banding: float | None = None
) -> None:
    """Write the clips that are not there yet, each with its truth."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(0, len(items), ITEMS_PER_CLIP):
        clip = folder / f"{index // ITEMS_PER_CLIP:02d}.avi"
        if not clip.with_suffix(".json").exists():
            conditions = Conditions.draw(np.random.default_rng([seed, index]))
            if banding is not None:
                conditions = replace(conditions, banding=banding)
            ground = grounds[(index // ITEMS_PER_CLIP) % len(grounds)]
            write_clip(
                Scene(items[index : index + ITEMS_PER_CLIP], ground, Plan(pair_share=pairs), conditions, seed + index),
                clip,
            )


def decisions_over(clip: Path, overrides: list[str]) -> list[Decision]:
    """What the loop decides over a clip."""
    camera = ReplayCameraSection(backend="replay", source=clip)
    config = load_config(None, overrides, {}).model_copy(update={"camera": camera})
    decisions: list[Decision] = []
    with open_rehearsal(config, ReplayClock(), [lambda record: decisions.append(record.decision)]) as loop:
        loop.run_to_end()
    return decisions


def shifted(
    decisions: list[Decision], events: tuple[TruthEvent, ...], by_s: float
) -> tuple[list[Decision], list[TruthEvent]]:
    """The same, so much later."""
    later = [
        replace(
            one,
            first_seen_s=one.first_seen_s + by_s,
            settled_s=None if one.settled_s is None else one.settled_s + by_s,
            decided_s=one.decided_s + by_s,
        )
        for one in decisions
    ]
    times = ("enters", "settled", "leaves", "gone")
    return later, [one.model_copy(update={name: getattr(one, name) + by_s for name in times}) for one in events]


def told(name: str, found: Score) -> None:
    """Print how a clip went, and what was taken for what."""
    taken = Counter(f"{one.truth or 'nothing'} as {one.answer or 'missed'}" for one in found.mistakes)
    print(
        f"{name}: {found.num_found} of {found.num_events} found, {found.num_right} right, {found.num_wrong} wrong,"
        f" {found.num_unknown} unknown, {found.num_missed} missed, {found.num_invented} invented,"
        f" {found.num_doubled} decided twice",
        *(f"{what} ({count})" for what, count in taken.most_common()),
        sep="; ",
    )


def measure(folder: Path, overrides: list[str]) -> None:
    """Score every clip, and print the sums with 95 % intervals, as if the clips were one after another."""
    decisions: list[Decision] = []
    events: list[TruthEvent] = []
    for clip in sorted(folder.glob("[!.]*.avi")):
        own, truth = decisions_over(clip, overrides), load_truth(clip.with_suffix(".json"))
        told(clip.name, score(own, truth))
        began_s = events[-1].gone + PAUSE_S if events else 0.0
        later, moved = shifted(own, truth.events, began_s)
        decisions, events = decisions + later, events + moved
    total = score(decisions, Truth(events=tuple(events)))
    told("all", total)
    print(
        f"from rest to decision: p50 {total.settled_to_decided_p50_s:.2f} s, p95 {total.settled_to_decided_p95_s:.2f} s"
    )
    num_pairs = sum(event.num_items > 1 for event in events)
    if num_pairs:
        num_missed = sum(one.truth == "multiple" for one in total.mistakes)
        num_seen_twice = sum(one.answer == "multiple" for one in total.mistakes)
        print(
            f"two at once: {num_pairs - num_missed} of {num_pairs} said to be several;"
            f" of {len(events) - num_pairs} single items {num_seen_twice}"
        )
    for name, part, whole in (
        ("right of the accepted", total.num_right, total.num_right + total.num_wrong),
        ("unknown", total.num_unknown, total.num_events),
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
    parser.add_argument("--pairs", type=float, default=0.0)
    parser.add_argument("--banding", type=float)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.clips or Path(scratch)
        items = items_of(arguments.trashnet, arguments.split, NUM_EACH, arguments.seed)
        grounds = grounds_of(arguments.empty, arguments.seed)
        build(folder, items, grounds, arguments.seed, arguments.pairs, arguments.banding)
        measure(folder, arguments.overrides)


if __name__ == "__main__":
    main()
