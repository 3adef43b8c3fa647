"""Surfaces as grids of points, in centimetres with z up: lathes, sheets, slabs, and the folds that crumple them.

Pure numpy: nothing here knows of Blender.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (..., 3), centimetres


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A surface: `points` (rows, columns, 3). With `is_round` the last column joins the first."""

    points: Points
    is_round: bool = False

    def mapped(self, deform: Callable[[Points], Points]) -> Grid:
        """The same surface with its points moved by `deform`, which takes and gives (N, 3)."""
        return Grid(deform(self.points.reshape(-1, 3)).reshape(self.points.shape), self.is_round)

    def shifted(self, x: float, y: float, z: float) -> Grid:
        """The same surface elsewhere."""
        return Grid(self.points + np.array([x, y, z]), self.is_round)


def rounded(corners: Sequence[tuple[float, float]], radius: float, steps: int = 5) -> list[tuple[float, float]]:
    """The open polyline with each inner corner replaced by a short curve of about that radius."""
    path = np.asarray(corners, dtype=np.float64)
    smooth = [tuple(path[0])]
    for before, corner, after in zip(path, path[1:], path[2:], strict=False):
        into, out = before - corner, after - corner
        reach = min(radius, 0.45 * float(np.linalg.norm(into)), 0.45 * float(np.linalg.norm(out)))
        start, end = corner + into / np.linalg.norm(into) * reach, corner + out / np.linalg.norm(out) * reach
        turn = np.linspace(0.0, 1.0, steps)[:, None]
        smooth.extend(map(tuple, (1 - turn) ** 2 * start + 2 * turn * (1 - turn) * corner + turn**2 * end))
    return [(float(x), float(y)) for x, y in [*smooth, tuple(path[-1])]]


def lathe(profile: Sequence[tuple[float, float]], num_segments: int = 96) -> Grid:
    """What turning (radius, height) around the z axis gives; a radius of 0 closes the end."""
    radius, height = np.asarray(profile, dtype=np.float64).T
    turn = np.linspace(0.0, 2 * np.pi, num_segments, endpoint=False)
    x, y = np.outer(radius, np.cos(turn)), np.outer(radius, np.sin(turn))
    return Grid(np.stack([x, y, np.broadcast_to(height[:, None], x.shape)], axis=-1), is_round=True)


def arc_band(radius: float, bottom: float, top: float, sweep: float, num_rows: int = 24) -> Grid:
    """A label around the z axis: `sweep` radians wide, centered on +y."""
    turn = np.pi / 2 + np.linspace(-sweep / 2, sweep / 2, 96)
    height = np.linspace(bottom, top, num_rows)
    x, z = np.meshgrid(radius * np.cos(turn), height)
    y = np.broadcast_to(radius * np.sin(turn), x.shape)
    return Grid(np.stack([x, y, z], axis=-1))


def sheet(width: float, depth: float, spacing: float = 0.12) -> Grid:
    """A flat sheet around the origin, with a point each `spacing`."""
    columns, rows = max(2, round(width / spacing)), max(2, round(depth / spacing))
    x, y = np.meshgrid(np.linspace(-width / 2, width / 2, columns), np.linspace(-depth / 2, depth / 2, rows))
    return Grid(np.stack([x, y, np.zeros_like(x)], axis=-1))


def slab(top: Grid, thickness: float) -> list[Grid]:
    """The sheet thickened downwards: top, bottom and the four edges."""
    under = top.points - np.array([0.0, 0.0, thickness])
    edges = [
        (top.points[0], under[0]),
        (under[-1], top.points[-1]),
        (under[:, 0], top.points[:, 0]),
        (top.points[:, -1], under[:, -1]),
    ]
    return [top, Grid(under[::-1]), *(Grid(np.stack(pair)) for pair in edges)]


def rotation(axis: Sequence[float], angle: float) -> Points:
    """The (3, 3) matrix that turns by `angle` radians about `axis`."""
    x, y, z = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned: Points = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turned


def soft_fold(points: Points, normal: Points, offset: float, crease: float, strength: float = 1.0) -> Points:
    """What lies beyond the plane `normal . p = offset` mirrored back through it, with a crease of that radius.

    A mirror keeps lengths, so a sheet folded again and again stays a sheet: it creases like paper and
    does not stretch like rubber.
    """
    beyond = np.logaddexp(0.0, (points @ normal - offset) / crease) * crease
    folded: Points = points - 2.0 * strength * beyond[:, None] * normal
    return folded


def crumple(points: Points, rng: np.random.Generator, radius: float, crease: float, num_tries: int = 60) -> Points:
    """The sheet folded at random planes until it fits a ball of about `radius`."""
    for _ in range(num_tries):
        normal = rng.normal(size=3)
        normal /= np.linalg.norm(normal)
        center = points.mean(axis=0)
        if np.max((points - center) @ normal) > radius:
            points = soft_fold(points - center, normal, radius * rng.uniform(0.6, 1.0), crease) + center
    return points


def creased(points: Points, rng: np.random.Generator, num_creases: int, crease: float, steepness: float) -> Points:
    """The sheet bent up and down along random lines, each by at most `steepness` radians."""
    for _ in range(num_creases):
        tilt = steepness / 2 * rng.uniform(0.3, 1.0)
        heading = rng.uniform(0, 2 * np.pi)
        # A mirror tilted against the sheet turns what lies beyond it by twice the tilt.
        normal = np.array(
            [np.sin(tilt) * np.cos(heading), np.sin(tilt) * np.sin(heading), np.cos(tilt) * rng.choice((-1.0, 1.0))]
        )
        place = points[rng.integers(len(points))]
        points = soft_fold(points, normal, float(normal @ place), crease)
    return points


def flattest(points: Points) -> Points:
    """The body turned so that it is lowest along z and widest along x: how a crumpled thing comes to rest."""
    centered = points - points.mean(axis=0)
    axes = np.linalg.svd(centered[:: max(1, len(points) // 5000)], full_matrices=False)[2]
    axes[2] *= np.sign(np.linalg.det(axes))  # a turn, not a mirror: print stays readable
    turned: Points = centered @ axes.T
    return turned


def dented(points: Points, rng: np.random.Generator, num_dents: int, radius: float, depth: float) -> Points:
    """The body with dents pushed towards its z axis at random places of its surface."""
    moved = points.copy()
    for _ in range(num_dents):
        place = points[rng.integers(len(points))]
        distance = np.linalg.norm(points - place, axis=1)
        push = depth * rng.uniform(0.5, 1.0) * np.exp(-((distance / radius) ** 2))
        moved[:, :2] *= (1.0 - push / np.maximum(np.linalg.norm(points[:, :2], axis=1), 0.5))[:, None]
    return moved


def ripple(
    points: Points, rng: np.random.Generator, amplitude: float, wavelength: float, num_waves: int = 12
) -> Points:
    """Random smooth waves in z, for sheets that never lie quite flat."""
    lifted = points.copy()
    for _ in range(num_waves):
        direction = rng.normal(size=2)
        direction *= 2 * np.pi / (wavelength * rng.uniform(0.6, 1.8) * np.linalg.norm(direction))
        lifted[:, 2] += amplitude / np.sqrt(num_waves) * np.sin(points[:, :2] @ direction + rng.uniform(0, 2 * np.pi))
    return lifted
