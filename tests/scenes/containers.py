"""Items that are turned around an axis: cans, tins, bottles, jars and cups."""

from __future__ import annotations

import artwork
import materials
import numpy as np
from shapes import Grid, Points, arc_band, dented, lathe, rotation, rounded, soft_fold
from stage import Item, Part

LYING = rotation((1, 0, 0), np.pi / 2)  # the axis from vertical to along the tray
SHELL = 0.25  # wall of a glass bottle, centimetres


def rolled(angle: float) -> Points:
    """Lying on the side, turned about its own axis."""
    return LYING @ rotation((0, 0, 1), angle)


def _can_body(radius: float = 3.3, height: float = 12.0) -> list[tuple[float, float]]:
    corners = [
        (radius - 0.75, 0.0),
        (radius - 0.5, 0.15),
        (radius, 1.1),
        (radius, height - 1.7),
        (radius - 0.62, height - 0.35),
        (radius - 0.62, height),
    ]
    body = rounded(corners, 0.5, 6)
    straight = [(radius, float(z)) for z in np.linspace(1.6, height - 2.2, 40)]
    middle = [i for i, point in enumerate(body) if point[0] >= radius - 1e-9]
    return body[: middle[0] + 1] + straight + body[middle[-1] :]


def _can_ends(radius: float = 3.3, height: float = 12.0) -> list[Grid]:
    """The domed bottom, and the lid with its rim."""
    inner = radius - 0.75
    dome = [(float(r), float(0.9 * (1 - (r / inner) ** 2))) for r in np.linspace(0.0, inner, 12)]
    lid = rounded(
        [
            (radius - 0.62, height - 0.05),
            (radius - 0.55, height + 0.12),
            (radius - 0.72, height + 0.14),
            (radius - 0.85, height - 0.45),
            (radius - 1.0, height - 0.5),
            (radius - 1.1, height - 0.25),
            (0.0, height - 0.25),
        ],
        0.08,
        4,
    )
    return [lathe(dome), lathe(lid)]


def _can_opening(height: float) -> list[tuple[Grid, str]]:
    """The mouth and the tab upon the lid, each with the name of its material."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    outline = np.stack([1.0 * np.cos(turn), 1.25 + 0.75 * np.sin(turn), np.full(40, height - 0.235)], axis=-1)
    mouth = Grid(np.stack([outline * (0, 0, 1) + (0, 1.25, 0), outline]), is_round=True)
    ring = [outline * (0.62, 0.8, 1) + (0, -1.55, 0.12 + lift) for lift in (0.0, 0.07)]
    hole = [outline * (0.34, 0.42, 1) + (0, -1.45, 0.12 + lift) for lift in (0.07, 0.0)]
    tab = Grid(np.stack([ring[0], ring[1], hole[0], hole[1]]), is_round=True)
    return [(mouth, "dark"), (tab, "metal")]


def _can_parts(print_: artwork.Picture, deform: object = None) -> list[Part]:
    height = 12.0
    aluminium = materials.metal("#d4d5d8", roughness=0.2)
    paint = materials.printed(print_, roughness=0.16, metallic=0.8, wrinkle=0.006)
    inside = materials.plastic("#0b0a09", roughness=0.6, glow=0.0)
    parts = [Part(lathe(_can_body(), 128), paint)]
    parts += [Part(end, aluminium) for end in _can_ends()]
    parts += [Part(grid, inside if name == "dark" else aluminium) for grid, name in _can_opening(height)]
    if deform is None:
        return parts
    return [Part(part.grid.mapped(deform), part.material, 0.5) for part in parts]  # type: ignore[arg-type]


def crushed_can(rng: np.random.Generator) -> Item:
    """A can squeezed flat in the middle and bent, with sharp creases."""

    def crush(points: Points) -> Points:
        middle = np.exp(-(((points[:, 2] - 6.0) / 3.6) ** 2))
        squeezed = points.copy()
        squeezed[:, 1] *= 1.0 - 0.62 * middle
        squeezed[:, 0] *= 1.0 + 0.18 * middle
        for _ in range(9):
            normal = rng.normal(size=3) * (0.5, 1.0, 0.7)
            normal /= np.linalg.norm(normal)
            reach = float(np.max((squeezed - (0, 0, 6)) @ normal))
            squeezed = soft_fold(squeezed, normal, 6.0 * normal[2] + reach * 0.86, 0.05, 0.8)
        bent = squeezed.copy()
        bent[:, 0] += 0.035 * (squeezed[:, 2] - 6.0) ** 2
        bent[:, 2] = 6.0 + (squeezed[:, 2] - 6.0) * 0.8
        return bent

    calm = np.random.default_rng(int(rng.integers(1 << 30)))
    state = calm.bit_generator.state

    def same_for_every_part(points: Points) -> Points:
        calm.bit_generator.state = state
        return crush(points)

    print_ = artwork.can_print(rng, "#1f6f43", "#f2d15c", "#f4f4ee", "NORA")
    return Item("metal", _can_parts(print_, same_for_every_part), LYING)


def tin_can(rng: np.random.Generator) -> Item:
    """An opened food tin without its label, on its side."""
    radius, height = 3.75, 10.8
    ribs = [
        (radius + 0.07 * np.sin(2 * np.pi * z / 0.75) * (2.6 < z < 8.4), float(z))
        for z in np.linspace(0.35, height - 0.35, 150)
    ]
    outer = [
        (0.0, 0.25),
        (radius - 0.35, 0.25),
        (radius - 0.3, 0.0),
        (radius + 0.12, 0.0),
        (radius + 0.12, 0.3),
        *ribs,
        (radius + 0.12, height - 0.3),
        (radius + 0.12, height),
    ]
    inner = [(radius - 0.05, height), *[(r - 0.06, z) for r, z in reversed(ribs)], (0.0, 0.4)]
    steel = materials.metal("#c9c7c2", roughness=0.24, brush=0.006)
    return Item(
        "metal",
        [Part(lathe([*outer, *inner], 128), steel, 0.5)],
        rotation((1, 0, 0), np.pi / 2 - 0.0) @ rotation((0, 0, 1), rng.uniform(0, 6)),
    )


def _bottle_shell(corners: list[tuple[float, float]], fillet: float, wall: float) -> Grid:
    """A closed shell: the outside up to the mouth, then the inside down to the floor."""
    outside = rounded(corners, fillet, 8)
    top = outside[-1][1]
    inside = [(max(r - wall, 0.0), z) for r, z in outside if z > wall * 2.5]
    return lathe([*outside, (outside[-1][0] - wall, top), *reversed(inside), (0.0, wall * 2.5)], 112)


BEER = [
    (0.0, 0.5),
    (2.3, 0.0),
    (3.05, 0.3),
    (3.05, 12.2),
    (2.6, 14.6),
    (1.42, 17.2),
    (1.32, 20.6),
    (1.5, 20.7),
    (1.5, 21.3),
    (1.25, 21.4),
    (1.25, 22.2),
]
WINE = [
    (0.0, 1.6),
    (2.4, 0.0),
    (3.55, 0.4),
    (3.6, 15.6),
    (3.1, 18.0),
    (1.5, 20.2),
    (1.4, 24.6),
    (1.6, 24.7),
    (1.6, 25.4),
    (1.4, 25.5),
    (1.4, 26.2),
]
SODA = [
    (0.0, 0.5),
    (2.2, 0.0),
    (2.8, 0.4),
    (2.8, 6.0),
    (2.55, 9.0),
    (2.75, 11.5),
    (2.1, 14.6),
    (1.35, 16.8),
    (1.3, 18.6),
    (1.5, 18.7),
    (1.5, 19.3),
    (1.3, 19.5),
]


def brown_bottle(rng: np.random.Generator) -> Item:
    """A brown beer bottle with a paper label."""
    label = artwork.bottle_label(rng, "#efe6cf", "#7c1d1d", "#b08a3c", "KELLER")
    parts = [Part(_bottle_shell(BEER, 0.9, SHELL), materials.glass("#8a4512"))]
    parts.append(Part(arc_band(3.075, 3.0, 9.2, 3.9), materials.printed(label, roughness=0.55)))
    return Item("glass", parts, rolled(rng.uniform(-0.4, 0.4)))


def green_bottle(rng: np.random.Generator) -> Item:
    """A green bottle with a small neck label."""
    label = artwork.bottle_label(rng, "#f3f1ea", "#23412c", "#23412c", "VALE")
    corners = [(r * 0.88, z * 0.85) for r, z in WINE]
    parts = [Part(_bottle_shell(corners, 0.9, SHELL), materials.glass("#5f9a4a"))]
    parts.append(Part(arc_band(3.2, 3.0, 8.4, 2.6), materials.printed(label, roughness=0.55)))
    return Item("glass", parts, rolled(rng.uniform(-0.6, 0.6)))


def clear_bottle(rng: np.random.Generator) -> Item:
    """A clear bottle, no label, thick bottom."""
    return Item(
        "glass",
        [Part(_bottle_shell(SODA, 0.8, 0.32), materials.glass("#fbfdfc", body="#cfe6da"))],
        rolled(rng.uniform(0, 6)),
    )


def _cap(radius: float, bottom: float, height: float, color: str) -> Part:
    turn = np.linspace(0, 2 * np.pi, 144, endpoint=False)
    ridge = 1.0 + 0.02 * np.sign(np.sin(turn * 36))
    profile = [
        (radius, bottom),
        (radius, bottom + height * 0.9),
        (radius * 0.9, bottom + height),
        (0.0, bottom + height),
    ]
    rings = [
        np.stack([r * ridge * np.cos(turn), r * ridge * np.sin(turn), np.full(144, z)], axis=-1) for r, z in profile
    ]
    return Part(Grid(np.stack(rings), is_round=True), materials.plastic(color, roughness=0.35), 0.5)


def _pet_shell(height: float, radius: float, wall: float = 0.05) -> Grid:
    """A ribbed bottle with petal foot, as a closed thin shell."""
    z = np.concatenate([np.linspace(0.0, 0.7 * height, 150), np.linspace(0.7 * height, height, 60)[1:]])
    shoulder = np.clip((z - 0.68 * height) / (0.22 * height), 0, 1)
    r = radius * (1 - 0.60 * shoulder**1.5 * (2.2 - 1.2 * shoulder))
    r = np.maximum(r, 1.15) * np.sqrt(np.clip(z / 0.9, 0.0, 1.0) * (2 - np.clip(z / 0.9, 0.0, 1.0)))
    in_ribs = ((z > 0.08 * height) & (z < 0.26 * height)) | ((z > 0.52 * height) & (z < 0.68 * height))
    r = r - in_ribs * 0.13 * (1 - np.cos(2 * np.pi * z / 1.05)) / 2
    r = r + 0.28 * np.exp(-(((z - height * 0.93) / 0.12) ** 2))
    outside = list(zip(r.tolist(), z.tolist(), strict=True))
    inside = [
        (max(radius_ - wall, 0.0), height_ + (wall if height_ < 0.5 else 0.0)) for radius_, height_ in reversed(outside)
    ]
    return lathe([*outside, *inside], 112)


def _pet(
    rng: np.random.Generator, shell_color: str, cap_color: str, label: artwork.Picture, height: float, radius: float
) -> Item:
    crushed = np.random.default_rng(int(rng.integers(1 << 30)))
    shell = _pet_shell(height, radius).mapped(lambda points: dented(points, crushed, 14, 1.6, 0.35))
    parts = [
        Part(shell, materials.glass(shell_color, ior=1.45, waviness=0.05), 1.0),
        _cap(1.5, height - 0.9, 1.3, cap_color),
    ]
    parts.append(
        Part(arc_band(radius + 0.02, 0.28 * height, 0.50 * height, 2 * np.pi), materials.printed(label, roughness=0.3))
    )
    return Item("plastic", parts, rolled(rng.uniform(-0.3, 0.3)))


def water_bottle(rng: np.random.Generator) -> Item:
    """A clear PET water bottle with cap and a blue label all around."""
    label = artwork.bottle_label(rng, "#1f5fae", "#ffffff", "#7cc4ea", "AQUILA", (1800, 420))
    return _pet(rng, "#f9fbfc", "#2b6fc2", label, 21.0, 3.1)


def milk_bottle(rng: np.random.Generator) -> Item:
    """A milky HDPE bottle with a square body, a colored cap and a label."""
    corners = rounded([(0.0, 0.0), (4.0, 0.0), (4.0, 10.5), (3.0, 14.0), (1.5, 16.0), (1.5, 17.5)], 0.9, 8)
    straight = [(4.0, float(z)) for z in np.linspace(1.2, 9.4, 20)]
    profile = [p for p in corners if p[1] < 1.2] + straight + [p for p in corners if p[1] > 9.4]

    def squared(points: Points) -> Points:
        radius = np.linalg.norm(points[:, :2], axis=1)
        turn = np.arctan2(points[:, 1], points[:, 0])
        side = (np.abs(np.cos(turn)) ** 5 + np.abs(np.sin(turn)) ** 5) ** (-1 / 5)
        grown = 1 + (side - 1) * np.clip((radius - 1.8) / 1.5, 0, 1)
        return points * np.stack([grown, grown * 0.8, np.ones_like(grown)], axis=1)

    label = artwork.bottle_label(rng, "#f7f7f2", "#22427a", "#3f8f4f", "ALMA", (900, 900))
    body = Part(lathe(profile, 128).mapped(squared), materials.plastic("#e6e6de", roughness=0.38, glow=0.5), 1.0)
    x, z = np.meshgrid(np.linspace(-2.7, 2.7, 20), np.linspace(2.5, 8.5, 20))
    patch = Grid(np.stack([x, np.zeros_like(x), z], axis=-1)).mapped(lambda p: _wrap_on(p, squared, 4.0))
    return Item(
        "plastic",
        [body, _cap(1.75, 16.2, 1.7, "#2f7d3b"), Part(patch, materials.printed(label, roughness=0.35))],
        LYING,
    )


def _wrap_on(points: Points, shape: object, radius: float) -> Points:
    """A flat label laid upon the +y side of a turned body that `shape` has squared."""
    turn = np.pi / 2 + points[:, 0] / radius
    around = np.stack([radius * np.cos(turn), radius * np.sin(turn), points[:, 2]], axis=1)
    shaped: Points = shape(around)  # type: ignore[operator]
    return shaped * (1.004, 1.008, 1.0)
