"""Presence over simulated items on many grounds, and over clips with truth files.

    python tests/bench/presence_items.py --trashnet ../shared/data/trashnet --clips /tmp/presence-clips
    python tests/bench/presence_items.py --trash... --clips ... --held-out      # never used for tuning
    python tests/bench/presence_items.py --clip ../shared/data/bins/videos/built_dark_plastic.mp4

An item is found when exactly one episode (frames that are not EMPTY, gaps up to 0.2 s forgiven) with a
SETTLED phase covers its rest, and missed when none does; a second one in the same rest is a double; an
episode that comes to rest (SETTLED or MANY) outside of every rest is invented.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from edge.messages import Box, Frame, Image, Phase
from edge.preprocess import load_picture
from edge.presence import PresenceDetector, PresenceSettings
from edge.simulation import Conditions, Cutout, Plan, Scene, cut_out, write_clip
from edge.simulation.grounds import GROUNDS, render_ground

GAP_S = 0.2
ITEMS_PER_CLIP = 9


@dataclass
class Episode:
    first_s: float
    last_s: float
    settled_s: list[float] = field(default_factory=list)
    many_s: list[float] = field(default_factory=list)
    boxes: list[tuple[float, Box]] = field(default_factory=list)


def frames_of(clip: Path) -> Iterator[Frame]:
    video = cv2.VideoCapture(str(clip))
    rate_hz = video.get(cv2.CAP_PROP_FPS)
    index = 0
    while True:
        is_there, image = video.read()
        if not is_there:
            return
        yield Frame(index, index / rate_hz, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        index += 1


def episodes_of(clip: Path, detector: PresenceDetector) -> list[Episode]:
    episodes: list[Episode] = []
    for frame in frames_of(clip):
        presence = detector.update(frame)
        now_s = frame.captured_at_s
        if presence.phase is Phase.EMPTY:
            continue
        if not episodes or now_s - episodes[-1].last_s > GAP_S:
            episodes.append(Episode(now_s, now_s))
        episode = episodes[-1]
        episode.last_s = now_s
        if presence.phase is Phase.SETTLED and presence.box is not None:
            episode.settled_s.append(now_s)
            episode.boxes.append((now_s, presence.box))
        elif presence.phase is Phase.MANY:
            episode.many_s.append(now_s)
    return episodes


def overlap(a: Box, b: Box) -> float:
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    shared = max(0, width) * max(0, height)
    return shared / (a.width * a.height + b.width * b.height - shared)


def judge(truth: dict, episodes: list[Episode], verbose: str = "") -> tuple[Counter, list[float], list[float]]:
    counts: Counter = Counter()
    overlaps, waits_s = [], []
    claimed: set[int] = set()
    for event in truth["events"]:
        inside = [
            (index, [s for s in e.settled_s + e.many_s if event["enters"] <= s <= event["gone"]])
            for index, e in enumerate(episodes)
        ]
        inside = [(index, times) for index, times in inside if times]
        claimed.update(index for index, _ in inside)
        wants_many = event.get("num_items", 1) > 1
        if not inside:
            verdict = "missed"
        elif len(inside) > 1:
            verdict = "doubled"
        elif wants_many:
            episode = episodes[inside[0][0]]
            verdict = "many" if episode.many_s else "many_as_one"
        else:
            episode = episodes[inside[0][0]]
            own = [s for s in episode.settled_s if s <= event["leaves"]]
            verdict = "found" if own and own[0] - event["settled"] <= 0.6 else "late" if own else "as_many"
            if own and len([s for s in episode.many_s if s <= event["leaves"]]) > 3:
                verdict = "partly_many"
            if own:
                waits_s.append(own[0] - event["settled"])
            boxes = [b for s, b in episode.boxes if s <= event["leaves"]]
            if "box" in event and boxes:
                overlaps.append(float(np.median([overlap(Box(*event["box"]), b) for b in boxes])))
        counts[verdict] += 1
        if verbose and verdict not in ("found", "many"):
            print(f"   {verbose} {verdict} {event['label']} {event['settled']:.1f}..{event['leaves']:.1f} {event.get('box')} {event['source'][-28:]} {event.get('entry')}/{event.get('exit')}")
    spans = [(event["enters"], event["gone"]) for event in truth["events"]]
    for index, episode in enumerate(episodes):
        if index in claimed or not (episode.settled_s or episode.many_s):
            continue
        if not any(low <= s <= high + 0.3 for low, high in spans for s in episode.settled_s):
            counts["invented"] += 1
            if verbose:
                print(f"   {verbose} invented {episode.first_s:.2f}..{episode.last_s:.2f} {episode.boxes[:1]}")
    return counts, overlaps, waits_s


def items_of(trashnet: Path, split: str, seed: int, num_each: int) -> list[Cutout]:
    with (trashnet / "groups.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    rng = np.random.default_rng(seed)
    chosen: list[Cutout] = []
    for label in sorted({row["label"] for row in rows}):
        paths = [row["path"] for row in rows if row["label"] == label]
        for index in rng.permutation(len(paths))[:num_each]:
            chosen.append(cut_out(load_picture(trashnet / paths[index]), label, paths[index]))
    return [chosen[index] for index in rng.permutation(len(chosen))]


def grounds_of(empty: Path, is_held_out: bool) -> list[tuple[str, Image]]:
    seed = 900 if is_held_out else 100
    drawn = [(name, render_ground(name, np.random.default_rng(seed + n), 640, 480)) for n, name in enumerate(GROUNDS)]
    names = ("belt_grey_b_026", "derived_med_ts10") if is_held_out else ("belt_grey_b_001", "belt_black_f_001", "derived_bg_wadaba")
    return drawn + [(name, load_picture(empty / f"{name}.jpg")) for name in names]


def build(folder: Path, trashnet: Path, empty: Path, is_held_out: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    items = items_of(trashnet, "train" if is_held_out else "val", 7 if is_held_out else 5, 21)
    grounds = grounds_of(empty, is_held_out)
    for index in range(len(items) // ITEMS_PER_CLIP):
        name, ground = grounds[index % len(grounds)]
        clip = folder / f"{index:02d}_{name}.avi"
        if clip.with_suffix(".json").exists():
            continue
        rng = np.random.default_rng([int(is_held_out), index])
        conditions = Conditions.draw(rng)
        plan = Plan(pair_share=0.12)
        scene = Scene(items[index * ITEMS_PER_CLIP : (index + 1) * ITEMS_PER_CLIP], ground, plan, conditions, 1000 * is_held_out + index)
        write_clip(scene, clip)
        print(f"wrote {clip.name} {conditions}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trashnet", type=Path, default=Path("../shared/data/trashnet"))
    parser.add_argument("--empty", type=Path, default=Path("../shared/data/bins/empty"))
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--clip", type=Path, action="append", default=[])
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    clips = list(arguments.clip)
    if arguments.clips:
        folder = arguments.clips / ("held_out" if arguments.held_out else "tuned")
        build(folder, arguments.trashnet, arguments.empty, arguments.held_out)
        clips += sorted(folder.glob("*.avi"))
    total: Counter = Counter()
    all_overlaps, all_waits_s = [], []
    for clip in clips:
        truth = json.loads(clip.with_suffix(".json").read_text())
        counts, overlaps, waits_s = judge(truth, episodes_of(clip, PresenceDetector(PresenceSettings())), clip.stem if arguments.verbose else "")
        print(f"{clip.stem:28s} {dict(counts)} IoU {np.median(overlaps or [0]):.2f} settles {np.max(waits_s or [0]):.2f} s")
        total += counts
        all_overlaps += overlaps
        all_waits_s += waits_s
    print(f"total {dict(total)}, IoU p10 {np.percentile(all_overlaps or [0], 10):.2f} p50 {np.median(all_overlaps or [0]):.2f}, ")
    if all_waits_s:
        print(f"settled after p50 {np.median(all_waits_s):.2f} p95 {np.percentile(all_waits_s, 95):.2f} s")


if __name__ == "__main__":
    main()
