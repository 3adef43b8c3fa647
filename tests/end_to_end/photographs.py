"""Photographs as a newcomer brings them, drawn: buttons, keys and leaves, each on a plain table, no two alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.messages import Image

LABELS = ("button", "key", "leaf")
_WIDTH_PX, _HEIGHT_PX = 512, 384
_FINE = 4  # drawn so many times larger, for smooth outlines
_UNIT_PX = 100 * _FINE  # half of the length of a thing of middle size

Chance = np.random.Generator
Mask = NDArray[np.uint8]
Points = NDArray[np.float64]


def take_photographs(folders: Mapping[Path, int], *, seed: int = 0) -> None:
    """Fill each folder with so many pictures of each class, every one of another thing: `<folder>/<class>/*.jpg`."""
    chance = np.random.default_rng(seed)
    for folder, num_each in folders.items():
        for label in LABELS:
            (folder / label).mkdir(parents=True)
            for number in range(num_each):
                _save(_photograph(label, chance), folder / label / f"IMG {number:04}.jpg")


def photograph_nothing(path: Path, *, seed: int = 0) -> None:
    """The empty scene of a bin, of another color than the table."""
    chance = np.random.default_rng(seed)
    _save(_seen(np.full((_HEIGHT_PX, _WIDTH_PX, 3), (122.0, 126.0, 124.0)), chance), path)


def _save(image: Image, path: Path) -> None:
    assert cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def _photograph(label: str, chance: Chance) -> Image:
    """The thing somewhere on the table, turned as it fell; all classes come in the same colors."""
    mask, engraved = {"button": _button, "key": _key, "leaf": _leaf}[label](_Pencil(chance), chance)
    color = np.array(_COLORS[int(chance.integers(len(_COLORS)))]) * chance.uniform(0.8, 1.15)
    table = np.full((_HEIGHT_PX, _WIDTH_PX, 3), chance.uniform(205, 235)) + chance.normal(0, 3, 3)
    shade = cv2.GaussianBlur(np.roll(mask, (6, 5), (0, 1)), (0, 0), 5)[..., np.newaxis] / 255.0
    table *= 1 - 0.35 * shade
    relief = cv2.GaussianBlur(mask, (0, 0), 4)[..., np.newaxis] / 255.0  # darker towards the rim, as what is round
    lines = engraved[..., np.newaxis] / 255.0
    thing = color * (0.55 + 0.45 * relief) * (1 - 0.45 * lines)
    alpha = mask[..., np.newaxis] / 255.0
    return _seen(table + alpha * (thing - table), chance)


_COLORS = ((60, 90, 150), (150, 60, 50), (70, 120, 60), (180, 140, 50), (90, 90, 95), (130, 85, 50))


def _seen(scene: NDArray[np.float64], chance: Chance) -> Image:
    """As a camera sees it: a lamp at one side, and the sensor's noise."""
    x = np.linspace(-1, 1, _WIDTH_PX)[np.newaxis, :, np.newaxis]
    lit = scene * (1 + chance.uniform(-0.06, 0.06) * x) * chance.uniform(0.92, 1.05)
    return np.clip(lit + chance.normal(0, 2, scene.shape), 0, 255).astype(np.uint8)


class _Pencil:
    """Fills and cuts shapes in a thing's own coordinates, about -1 to 1, turned, sized and placed by chance."""

    def __init__(self, chance: Chance) -> None:
        angle, size = chance.uniform(0, 2 * np.pi), _UNIT_PX * chance.uniform(0.8, 1.3)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        self._turn = size * turn
        self._center = _FINE * (np.array([_WIDTH_PX, _HEIGHT_PX]) / 2 + chance.uniform(-25, 25, 2))
        self._sheet = np.zeros((_HEIGHT_PX * _FINE, _WIDTH_PX * _FINE), np.uint8)

    def fill(self, points: Points, value: int = 255) -> None:
        placed = np.round(points @ self._turn.T + self._center).astype(np.int32)
        cv2.fillPoly(self._sheet, [placed], value)

    def cut(self, points: Points) -> None:
        self.fill(points, 0)

    def sheet(self) -> Mask:
        """What was drawn so far, at the picture's size; the next drawing lies at the same place."""
        small = cv2.resize(self._sheet, (_WIDTH_PX, _HEIGHT_PX), interpolation=cv2.INTER_AREA)
        self._sheet[:] = 0
        return small.astype(np.uint8)


def _round(center: tuple[float, float], radius: float, flat: float = 1.0) -> Points:
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    return np.array(center) + radius * np.column_stack([np.cos(angles), flat * np.sin(angles)])


def _bar(x0: float, x1: float, y0: float, y1: float) -> Points:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def _button(pencil: _Pencil, chance: Chance) -> tuple[Mask, Mask]:
    """A disk with two, three or four holes and a groove inside its rim."""
    radius, num_holes = chance.uniform(0.55, 0.85), int(chance.integers(2, 5))
    pencil.fill(_round((0, 0), radius))
    for index in range(num_holes):
        angle = 2 * np.pi * index / num_holes
        pencil.cut(_round((0.26 * radius * np.cos(angle), 0.26 * radius * np.sin(angle)), 0.11 * radius))
    mask = pencil.sheet()
    groove = chance.uniform(0.6, 0.85) * radius
    pencil.fill(_round((0, 0), groove))
    pencil.cut(_round((0, 0), groove - 0.06))
    return mask, pencil.sheet()


def _key(pencil: _Pencil, chance: Chance) -> tuple[Mask, Mask]:
    """A ring or an oval with a hole, a long shank, and teeth at its end."""
    radius, shank = chance.uniform(0.3, 0.42), chance.uniform(0.07, 0.12)
    flat = chance.uniform(0.7, 1.0)
    pencil.fill(_round((-0.75, 0), radius, flat))
    pencil.fill(_bar(-0.6, 1.0, -shank, shank))
    for index in range(int(chance.integers(2, 5))):
        left = 0.95 - 0.17 * (index + 1)
        pencil.fill(_bar(left, left + 0.1, 0, shank + chance.uniform(0.1, 0.25)))
    pencil.cut(_round((-0.8, 0), 0.5 * radius, flat))
    mask = pencil.sheet()
    pencil.fill(_bar(-0.35, 0.9, -0.02, 0.02))
    return mask, pencil.sheet()


def _leaf(pencil: _Pencil, chance: Chance) -> tuple[Mask, Mask]:
    """Two arcs that meet in a point, a stalk, and veins."""
    width, fullest = chance.uniform(0.3, 0.55), chance.uniform(0.7, 1.4)
    along = np.linspace(0, 1, 40)
    edge = width * np.sin(np.pi * along**fullest)
    ripple = 1 + chance.uniform(0, 0.08) * np.sin(along * chance.uniform(30, 60))
    upper = np.column_stack([2 * along - 0.9, edge * ripple])
    pencil.fill(np.concatenate([upper, upper[::-1] * (1, -1)]))
    pencil.fill(_bar(-1.2, -0.85, -0.03, 0.03))
    mask = pencil.sheet()
    pencil.fill(_bar(-0.9, 1.0, -0.015, 0.015))
    for at in np.linspace(-0.6, 0.6, int(chance.integers(4, 8))):
        reach = 0.8 * width * np.sin(np.pi * ((at + 0.9) / 2) ** fullest)
        for side in (1, -1):
            tip = (at + 0.25, side * reach)
            pencil.fill(np.array([(at, 0.0), (at + 0.04, 0.0), tip, tip]))
            pencil.fill(np.array([(at, -0.012), (at, 0.012), (tip[0], tip[1] + 0.012), (tip[0], tip[1] - 0.012)]))
    return mask, pencil.sheet()
