"""Items made of sheets: boxes, board, paper, tissue, film and packets."""

from __future__ import annotations

import artwork
import bpy
import materials
import numpy as np
from shapes import Grid, Points, creased, crumple, flattest, ripple, rotation, sheet, slab, soft_fold
from stage import Item, Part

BOARD = 0.35  # thickness of single-wall corrugated board, centimetres


def _panel(
    width: float, depth: float, turn: Points, shift: tuple[float, float, float], material: bpy.types.Material
) -> list[Part]:
    """A board panel, hinged at the middle of its near edge: turned there, then moved."""
    flat = sheet(width, depth, 0.5).shifted(0.0, depth / 2, 0.0)
    return [Part(grid.mapped(lambda p: p @ turn.T).shifted(*shift), material, 0.5) for grid in slab(flat, BOARD)]


def open_box(rng: np.random.Generator) -> Item:
    """A small shipping box with its four flaps open and an address label upon one."""
    width, depth, height = 11.5, 8.5, 5.5
    kraft = materials.kraft()
    parts = _panel(width, depth, np.eye(3), (0, -depth / 2, BOARD), kraft)
    for side in range(4):
        about = rotation((0, 0, 1), side * np.pi / 2)
        long, reach = (width, depth / 2) if side % 2 == 0 else (depth, width / 2)
        wall = about @ rotation((1, 0, 0), np.pi / 2)
        parts += _panel(long, height, wall, tuple(about @ (0.0, reach, 0.0)), kraft)
        flap = about @ rotation((1, 0, 0), -rng.uniform(0.0, 0.5) if side != 1 else -2.6)
        parts += _panel(long - 0.3, 4.0, flap, tuple(about @ (0.0, reach + 0.1, height)), kraft)
        if side == 0:
            patch = sheet(5.0, 2.9, 0.5).shifted(0.8, 2.0, 0.03).mapped(lambda p, turn=flap: p @ turn.T)
            patch = patch.shifted(*(about @ (0.0, reach + 0.1, height)))
            parts.append(Part(patch, materials.printed(artwork.shipping_label(rng), roughness=0.5)))
    return Item("cardboard", parts)


def flat_box(rng: np.random.Generator) -> Item:
    """A box slit open and pressed nearly flat: three panels in a strip, with flaps, one of them torn short."""
    kraft = materials.kraft("#ad8557", flutes=0.02)
    parts: list[Part] = []
    edge, lean = np.array([0.0, -7.0, 0.0]), 0.0
    for index, depth in enumerate((5.5, 4.0, 5.0)):
        lean += rng.uniform(-0.28, 0.28) if index else 0.1
        turn = rotation((1, 0, 0), lean)
        parts += _panel(9.0, depth - 0.15, turn, tuple(edge), kraft)
        for side, reach in ((1.0, 3.2), (-1.0, 2.4 if index else 3.2)):
            hinge = turn @ rotation((0, 0, 1), -side * np.pi / 2) @ rotation((1, 0, 0), rng.uniform(0.05, 0.5))
            parts += _panel(depth - 0.6, reach, hinge, tuple(edge + turn @ (side * 4.6, depth / 2, 0.0)), kraft)
        edge = edge + turn @ (0.0, depth, 0.0)
    mark = (
        sheet(3.6, 2.4, 0.5)
        .shifted(1.5, 2.8, 0.03)
        .mapped(lambda p: p @ rotation((1, 0, 0), 0.1).T)
        .shifted(0.0, -7.0, 0.0)
    )
    return Item("cardboard", [*parts, Part(mark, materials.printed(artwork.shipping_label(rng), roughness=0.5))])


def _crumpled(
    rng: np.random.Generator,
    size: tuple[float, float],
    radius: float,
    crease: float,
    *,
    num_creases: int,
    steepness: float,
) -> Grid:
    """A sheet creased all over, then pressed together until it fits a ball of that radius."""
    flat = sheet(*size, spacing=0.08).mapped(lambda p: creased(p, rng, num_creases, crease, steepness))
    return flat.mapped(lambda p: flattest(crumple(p, rng, radius, crease)))


def paper_ball(rng: np.random.Generator) -> Item:
    """A sheet of white paper crumpled to a ball."""
    ball = _crumpled(rng, (29.0, 40.0), 5.2, 0.04, num_creases=13, steepness=1.1)
    return Item("paper", [Part(ball, materials.paper("#f0efeb", speckle=0.01), 0.9)])


def newspaper(rng: np.random.Generator) -> Item:
    """A printed page, one corner folded over, nearly flat."""
    page = sheet(14.0, 17.5, 0.12).mapped(lambda p: creased(ripple(p, rng, 0.15, 9.0), rng, 5, 0.03, 0.3))
    return Item("paper", [Part(page, materials.printed(artwork.newspaper(rng), roughness=0.7), 0.9)])


def _packet(
    rng: np.random.Generator, size: tuple[float, float], height: float, num_folds: int = 14
) -> tuple[Grid, Grid]:
    """Front and back of a sealed packet with crimped, toothed ends, a little crushed."""
    width, depth = size
    tooth = 0.35

    def puff(points: Points, sign: float) -> Points:
        u, v = np.abs(points[:, 0]) / (width / 2), np.abs(points[:, 1]) / (depth / 2)
        belly = np.clip(1 - (u / 0.88) ** 3, 0, 1) ** 0.7 * np.clip(1 - v**2.5, 0, 1) ** 0.7
        crimp = (u > 0.88) * 0.05 * np.sin(points[:, 0] * 2 * np.pi / 0.28)
        pleats = (
            0.22
            * np.sin(points[:, 1] * 5.0 + 3 * np.sin(points[:, 1] * 1.3))
            * np.exp(-(((u - 0.86) / 0.16) ** 2))
            * belly**0.3
        )
        lifted = points.copy()
        lifted[:, 2] = sign * (height * belly + 0.02) + pleats + crimp
        lifted[:, 1] *= 1 - 0.10 * (1 - u**2)
        teeth = np.abs((points[:, 1] / tooth) % 1 - 0.5) * tooth  # cut in zigzag
        lifted[:, 0] += np.sign(points[:, 0]) * teeth * (u > 0.97)
        return lifted

    crush_rng = np.random.default_rng(int(rng.integers(1 << 30)))
    state = crush_rng.bit_generator.state

    def crush(points: Points) -> Points:
        crush_rng.bit_generator.state = state
        for _ in range(num_folds):
            normal = crush_rng.normal(size=3) * (0.8, 0.8, 1.6)
            normal /= np.linalg.norm(normal)
            edge = np.abs(normal) @ (width / 2, depth / 2, height)
            points = soft_fold(points, normal, edge * crush_rng.uniform(0.3, 0.8), 0.04, 0.5)
        return points

    flat = sheet(width, depth, 0.07)
    return flat.mapped(lambda p: crush(puff(p, 1.0))), flat.mapped(lambda p: crush(puff(p, -1.0)))


def _wrapper(
    rng: np.random.Generator, print_: artwork.Picture, size: tuple[float, float], height: float, num_folds: int
) -> Item:
    """A printed packet of plastic film, silvery inside."""
    front, back = _packet(rng, size, height, num_folds)
    film = materials.printed(print_, roughness=0.2, metallic=0.35, wrinkle=0.06)
    silver = materials.metal("#cfd0d2", roughness=0.25)
    return Item("trash", [Part(front, film, 1.0), Part(back, silver, 1.0)])


def chips_bag(rng: np.random.Generator) -> Item:
    """An empty bag of snacks, a little crushed."""
    print_ = np.ascontiguousarray(np.rot90(artwork.snack_bag(rng)))
    return _wrapper(rng, print_, (17.0, 13.0), 1.4, 13)
