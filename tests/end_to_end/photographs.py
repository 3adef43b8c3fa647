"""Photographs as a newcomer brings them: a few of each class, and some more of other things to try it with."""

from __future__ import annotations

import csv
import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from edge.cameras.simulated import load_stage
from edge.messages import Image
from edge.simulation.cutout import Cutout, cut_out
from edge.simulation.grounds import render_ground
from edge.simulation.lens import Conditions, Lens
from edge.simulation.scene import Plan, Scene

LABELS = ("glass", "metal", "paper")
_MARGIN_PX = 20  # plain ground around an item, by which its outline is found
_PLAN = Plan(width_px=512, height_px=384, scale=(0.55, 0.85), hand_only_share=0)


def take_photographs(folders: Mapping[Path, int], *, seed: int = 0) -> None:
    """Fill each folder with so many rendered pictures of each class, no two alike: `<folder>/<class>/*.jpg`."""
    cutouts = _cutouts()
    chance = np.random.default_rng(seed)
    for folder, num_each in folders.items():
        for label in LABELS:
            (folder / label).mkdir(parents=True)
            for number in range(num_each):
                item = cutouts[label][number % len(cutouts[label])]
                picture = cv2.cvtColor(_photograph(item, chance), cv2.COLOR_RGB2BGR)
                cv2.imwrite(str(folder / label / f"IMG {number:04}.jpg"), picture)


def choose_photographs(trashnet: Path, folders: Mapping[Path, tuple[str, int]]) -> None:
    """Fill each folder with so many real pictures of each class from a part of TrashNet, each of another object."""
    objects: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    with (trashnet / "groups.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            objects[row["split"], row["label"]].setdefault(row["group"], row["path"])
    for folder, (part, num_each) in folders.items():
        for label in LABELS:
            (folder / label).mkdir(parents=True)
            paths = sorted(objects[part, label].values())
            for path in paths[:: len(paths) // num_each][:num_each]:
                shutil.copy(trashnet / path, folder / label)


def _cutouts() -> dict[str, list[Cutout]]:
    found: dict[str, list[Cutout]] = defaultdict(list)
    for item in load_stage().items:
        top, left = max(0, item.box.y - _MARGIN_PX), max(0, item.box.x - _MARGIN_PX)
        bottom, right = item.box.y + item.box.height + _MARGIN_PX, item.box.x + item.box.width + _MARGIN_PX
        found[item.label].append(cut_out(item.picture[top:bottom, left:right], item.label, item.file))
    return found


def _photograph(item: Cutout, chance: np.random.Generator) -> Image:
    """The item as it comes to rest on a plain ground, in a pose, a light and a size of its own."""
    ground = render_ground("grey", chance, _PLAN.width_px, _PLAN.height_px)
    scene = Scene([item], ground, _PLAN, Conditions(), seed=int(chance.integers(1 << 31)))
    at_rest_s = (scene.visits[0].settled_s + scene.visits[0].leaves_s) / 2
    return Lens(Conditions(), chance, shift_at_s=0.0).photograph(scene.exposed(at_rest_s), at_rest_s)
