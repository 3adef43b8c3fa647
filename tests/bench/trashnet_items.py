"""Items cut out of TrashNet's pictures, for simulated bins.

A picture in which no outline can be found becomes a sheet of itself. That is an item where cardboard or paper fills
the picture; a card with the photograph of a bottle on it is none, and pictures of the other classes are left out.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from edge.messages import Image
from edge.preprocess import load_picture
from edge.simulation import Cutout, cut_out

# TrashNet's photographs are 4:3 landscapes that the copy stores squeezed into 384x512 portraits.
WIDEN = 16 / 9
SHEETS = ("cardboard", "paper")


def items_of(trashnet: Path, split: str, num_each: int, seed: int) -> list[Cutout]:
    """Items of each class of the split, as many as it has up to `num_each`, in random order."""
    with (trashnet / "groups.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    rng = np.random.default_rng(seed)
    chosen: list[Cutout] = []
    for label in sorted({row["label"] for row in rows}):
        paths = [row["path"] for row in rows if row["label"] == label]
        drawn: Iterator[Cutout | None] = (_item(trashnet, label, paths[index]) for index in rng.permutation(len(paths)))
        chosen += list(islice(filter(None, drawn), num_each))
    return [chosen[index] for index in rng.permutation(len(chosen))]


def _item(trashnet: Path, label: str, path: str) -> Cutout | None:
    """The item of a picture, None where only a sheet of it could be had, and that would be no item."""
    item = cut_out(_widened(load_picture(trashnet / path)), label, path)
    return None if item.is_sheet and label not in SHEETS else item


def _widened(image: Image) -> Image:
    return cv2.resize(image, (round(image.shape[1] * WIDEN), image.shape[0]), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]
