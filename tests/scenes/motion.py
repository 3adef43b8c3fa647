"""How items fall: rigid bodies thrown over the rim of the bin, come to rest upon its flap, and dropped by it.

Blender's Bullet does the mechanics on the convex hull of an item; units are centimetres and seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bmesh
import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector
from shapes import Points
from stage import HINGE_Y, TRAY_HALF, Item

STEP_HZ = 60
GRAVITY = 981.0
WALL_TOP, SHAFT_BOTTOM = 9.0, -150.0
_RUN_UP = 8  # steps during which the body is led, so that Bullet lets it go with that speed
_HULL_GRAIN = 0.25  # hull points nearer than this are one; Bullet needs few


@dataclass(frozen=True, slots=True)
class Body:
    """How an item bounces: elasticity and friction 0..1, and the share of its speed and spin lost each second."""

    bounce: float = 0.3
    friction: float = 0.6
    drag: float = 0.1
    spin_drag: float = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Throw:
    """How an item leaves the hand: where its middle is, how it is turned (3, 3), and how it moves and spins."""

    at: tuple[float, float, float]
    turn: Points
    velocity: tuple[float, float, float]
    spin: tuple[float, float, float] = (0.0, 0.0, 0.0)  # axis times radians a second


def flap_angle(since_s: float) -> float:
    """How far the flap hangs down, radians, so long after it was let go: it drops, waits and swings back."""
    fallen = np.clip(since_s / 0.21, 0.0, 1.0) ** 2
    lifted = np.clip((since_s - 0.52) / 0.24, 0.0, 1.0)
    return float(np.radians(82) * fallen * (1 - lifted**2 * (3 - 2 * lifted)))


FLAP_SWING_S = 0.76


def middle_of(item: Item) -> Points:
    """The middle of an item's hull, taken for its centre of mass; (3,) in the item's own centimetres."""
    points = np.concatenate([part.grid.points.reshape(-1, 3) for part in item.parts])
    return (points.min(axis=0) + points.max(axis=0)) / 2


def fly(item: Item, body: Body, throw: Throw, duration_s: float) -> Points:
    """The item's matrices (N, 4, 4) at `STEP_HZ` from the moment it is let go, upon a closed flap."""
    return _run(item, body, throw, round(duration_s * STEP_HZ), lambda _: 0.0)


def drop(item: Item, body: Body, rest: Points, duration_s: float) -> Points:
    """The same from where it rests (4, 4), with the flap let go at the first step."""
    middle = rest[:3, :3] @ middle_of(item) + rest[:3, 3]
    still = Throw(tuple(middle), rest[:3, :3], (0.0, 0.0, 0.0))
    return _run(item, body, still, round(duration_s * STEP_HZ), flap_angle)


def _run(item: Item, body: Body, throw: Throw, num_steps: int, angle: Callable[[float], float]) -> Points:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = STEP_HZ
    scene.gravity = (0.0, 0.0, -GRAVITY)
    bpy.ops.rigidbody.world_add()
    world = scene.rigidbody_world
    world.substeps_per_frame, world.solver_iterations = 6, 20
    last = _RUN_UP + num_steps
    world.point_cache.frame_end = scene.frame_end = last
    _bin(angle, num_steps)
    thing = _hull(item)
    _led(thing, throw)
    _solid(thing, "ACTIVE", body.friction, body.bounce, "CONVEX_HULL")
    thing.rigid_body.linear_damping, thing.rigid_body.angular_damping = body.drag, body.spin_drag
    for frame, is_led in ((1, True), (_RUN_UP, False)):
        thing.rigid_body.kinematic = is_led
        thing.keyframe_insert("rigid_body.kinematic", frame=frame)
    back = np.eye(4)
    back[:3, 3] = -middle_of(item)
    path = []
    for frame in range(1, last + 1):
        scene.frame_set(frame)
        if frame > _RUN_UP:
            path.append(np.asarray(thing.matrix_world) @ back)
    return np.stack(path)


def _bin(angle: Callable[[float], float], num_steps: int) -> None:
    half_x, half_y = TRAY_HALF
    flap = _block((half_x * 2, half_y * 2, 2.0), hangs=(0.0, -HINGE_Y, -1.0))
    flap.location = (0.0, HINGE_Y, 0.0)
    for step in range(num_steps):
        flap.rotation_euler = (angle(step / STEP_HZ), 0.0, 0.0)
        flap.keyframe_insert("rotation_euler", frame=_RUN_UP + 1 + step)
    _solid(flap, "PASSIVE", 0.6, 0.6, "CONVEX_HULL")  # a box would ignore where the hinge is
    flap.rigid_body.kinematic = True
    middle_z, height = (WALL_TOP + SHAFT_BOTTOM) / 2, WALL_TOP - SHAFT_BOTTOM
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        size = (4.0, 60.0, height) if x else (60.0, 4.0, height)
        wall = _block(size)
        wall.location = (x * (half_x + 2.0), y * (half_y + 2.0), middle_z)
        _solid(wall, "PASSIVE", 0.4, 0.5, "BOX")
    ground = _block((80.0, 80.0, 4.0))
    ground.location = (0.0, 0.0, SHAFT_BOTTOM - 2.0)
    _solid(ground, "PASSIVE", 0.8, 0.1, "BOX")


def _block(size: tuple[float, float, float], hangs: tuple[float, float, float] = (0, 0, 0)) -> bpy.types.Object:
    """A box around its origin, or around a point beside it."""
    mesh = bpy.data.meshes.new("block")
    solid = bmesh.new()
    bmesh.ops.create_cube(solid, matrix=Matrix.Translation(hangs) @ Matrix.Diagonal((*size, 1.0)))
    solid.to_mesh(mesh)
    solid.free()
    thing = bpy.data.objects.new("block", mesh)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def _hull(item: Item) -> bpy.types.Object:
    """The convex hull of the item around its middle."""
    points = np.concatenate([part.grid.points.reshape(-1, 3) for part in item.parts]) - middle_of(item)
    points = np.unique(np.round(points / _HULL_GRAIN), axis=0) * _HULL_GRAIN
    solid = bmesh.new()
    for point in points:
        solid.verts.new(point)
    hull = bmesh.ops.convex_hull(solid, input=solid.verts)
    bmesh.ops.delete(solid, geom=list({*hull["geom_interior"], *hull["geom_unused"]}), context="VERTS")
    mesh = bpy.data.meshes.new("hull")
    solid.to_mesh(mesh)
    solid.free()
    thing = bpy.data.objects.new("hull", mesh)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def _led(thing: bpy.types.Object, throw: Throw) -> None:
    """The run-up to a throw, as the animation that Bullet takes the speed from."""
    thing.rotation_mode = "QUATERNION"
    spin = Vector(throw.spin)
    at_hand = Matrix(throw.turn.tolist()).to_quaternion()
    for frame in range(1, _RUN_UP + 2):
        since_s = (frame - _RUN_UP) / STEP_HZ
        thing.location = Vector(throw.at) + since_s * Vector(throw.velocity)
        thing.rotation_quaternion = Quaternion(spin.normalized(), spin.length * since_s) @ at_hand
        thing.keyframe_insert("location", frame=frame)
        thing.keyframe_insert("rotation_quaternion", frame=frame)


def _solid(thing: bpy.types.Object, kind: str, friction: float, bounce: float, shape: str) -> None:
    with bpy.context.temp_override(object=thing, active_object=thing, selected_objects=[thing]):
        bpy.ops.rigidbody.object_add(type=kind)
    solid = thing.rigid_body
    solid.collision_shape, solid.friction, solid.restitution = shape, friction, bounce
    solid.use_margin, solid.collision_margin = True, 0.02
