"""The fixed scene around an item: a bin's tray seen by a camera under the lid, its lamps, and the renderer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import bpy
import materials
import numpy as np
from mathutils import Matrix, Vector
from shapes import Grid, Points, rounded, slab

WIDTH_PX, HEIGHT_PX = 640, 480
CAMERA_AT = (0.0, -4.5, 50.0)  # centimetres above the tray, a little off its middle as a bracket would hold it
FIELD_OF_VIEW = 0.69  # radians across the width: a 36 cm wide view of the tray
TRAY_HALF = (17.0, 12.6)
HINGE_Y = TRAY_HALF[1] - 0.9  # the flap hangs there
KEY_AT = (-26.0, 22.0, 62.0)  # the lamp that throws the shadows
DARK_BELOW = -45.0  # centimetres: what falls deeper is not seen
SHUTTER_S = 1 / 50


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One surface of an item with its material; edges sharper than `sharp_angle` (radians) stay edges."""

    grid: Grid
    material: bpy.types.Material
    sharp_angle: float = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """What is thrown in: its class, its parts in their own centimetres, and how they are turned to lie down."""

    label: str
    parts: list[Part]
    pose: Points = field(default_factory=lambda: np.eye(3))


def mesh_object(part: Part) -> bpy.types.Object:
    """The part as an object of the scene, with UV coordinates running 0..1 over its grid."""
    rows, columns = part.grid.points.shape[:2]
    num_steps = columns if part.grid.is_round else columns - 1
    row, column = (index.ravel() for index in np.meshgrid(np.arange(rows - 1), np.arange(num_steps), indexing="ij"))
    corners = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)]
    faces = np.stack([r * columns + c % columns for r, c in corners], axis=-1)
    uv = np.stack([np.stack([c / num_steps, r / (rows - 1)], axis=-1) for r, c in corners], axis=1)
    mesh = bpy.data.meshes.new("part")
    mesh.from_pydata(part.grid.points.reshape(-1, 3).tolist(), [], faces.tolist())
    mesh.uv_layers.new().data.foreach_set("uv", uv.astype(np.float32).ravel())
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), dtype=bool))
    mesh.set_sharp_from_angle(angle=part.sharp_angle)
    mesh.materials.append(part.material)
    thing = bpy.data.objects.new("part", mesh)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def put(item: Item) -> bpy.types.Object:
    """The item in the scene; moving what is returned moves all of it."""
    whole = bpy.data.objects.new("item", None)
    bpy.context.scene.collection.objects.link(whole)
    for part in item.parts:
        mesh_object(part).parent = whole
    return whole


def animate(thing: bpy.types.Object, path: Points) -> None:
    """Lets the object go through the matrices (N, 4, 4), one a frame of the scene from frame 0 on."""
    thing.rotation_mode = "QUATERNION"
    before = None
    for frame, matrix in enumerate(path):
        place, turn, _ = Matrix(matrix.tolist()).decompose()
        if before is not None:
            turn.make_compatible(before)  # the short way round
        before = turn
        thing.location, thing.rotation_quaternion = place, turn
        thing.keyframe_insert("location", frame=frame)
        thing.keyframe_insert("rotation_quaternion", frame=frame)
    for curve in _curves(thing):
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"


def _curves(thing: bpy.types.Object) -> list[bpy.types.FCurve]:
    action = thing.animation_data.action
    return [
        curve for layer in action.layers for strip in layer.strips for bag in strip.channelbags for curve in bag.fcurves
    ]


def build_stage() -> bpy.types.Object:
    """An empty scene: bin, lamps and camera. Gives the flap, which hangs at its hinge: +x turns open it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    half_x, half_y = TRAY_HALF
    floor = np.array([[[x, y, 0.0] for x in (-half_x + 0.1, half_x - 0.1)] for y in (-half_y + 0.1, half_y - 0.1)])
    top = Grid(floor - (0.0, HINGE_Y, 0.0))
    flap = bpy.data.objects.new("flap", None)
    flap.location = (0.0, HINGE_Y, 0.0)
    bpy.context.scene.collection.objects.link(flap)
    ground = materials.board("#d6d4ce", "#8f887c")
    for grid in slab(top, 0.5):
        mesh_object(Part(grid, ground)).parent = flap
    mesh_object(Part(_walls(half_x, half_y, (0.0, 4.0, 9.0)), materials.worn("#84898d")))
    mesh_object(Part(_walls(half_x, half_y, (DARK_BELOW, -20.0, -0.6)), materials.worn("#3b3d3f")))
    sack = np.array([[[x, y, DARK_BELOW] for x in (-40.0, 40.0)] for y in (-40.0, 40.0)])
    mesh_object(Part(Grid(sack), materials.worn("#141414")))
    hinge = [(0.35, -half_x + 1), (0.35, half_x - 1)]
    _rod(hinge, y=half_y - 0.9, material=materials.metal("#b9bbbd", roughness=0.35))
    _lamp("key", at=KEY_AT, size=15.0, watts=62000.0, color=(1.0, 0.96, 0.9))
    _lamp("fill", at=(34.0, -16.0, 58.0), size=34.0, watts=14000.0, color=(0.9, 0.95, 1.0))
    _lamp("strip", at=(6.0, 34.0, 46.0), size=9.0, watts=5000.0, color=(1.0, 1.0, 1.0))
    _room()
    _camera()
    return flap


def _walls(half_x: float, half_y: float, heights: tuple[float, ...]) -> Grid:
    """The shaft above or below the flap, with rounded corners."""
    corner = rounded([(half_x, 0.0), (half_x, half_y), (0.0, half_y)], 2.5, steps=8)
    quarter = np.asarray(corner)
    outline = np.concatenate([quarter, quarter[::-1] * (-1, 1), quarter * (-1, -1), quarter[::-1] * (1, -1)])
    rows = [np.column_stack([outline, np.full(len(outline), z)]) for z in heights]
    return Grid(np.stack(rows), is_round=True)


def _rod(profile: list[tuple[float, float]], y: float, material: bpy.types.Material) -> None:
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rings = [np.column_stack([np.full(24, x), y + r * np.cos(turn), 0.2 + r * np.sin(turn)]) for r, x in profile]
    mesh_object(Part(Grid(np.stack(rings), is_round=True), material))


def _lamp(
    name: str, at: tuple[float, float, float], size: float, watts: float, color: tuple[float, float, float]
) -> None:
    lamp = bpy.data.lights.new(name, "AREA")
    lamp.energy, lamp.size, lamp.color = watts, size, color
    thing = bpy.data.objects.new(name, lamp)
    thing.location = at
    thing.rotation_euler = (-Vector(at)).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(thing)


def _room() -> None:
    """What metal and glass mirror beyond the lamps: a gray room, lighter above one side."""
    world = bpy.data.worlds.new("room")
    bpy.context.scene.world = world
    world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    nodes.clear()
    output, shade = nodes.new("ShaderNodeOutputWorld"), nodes.new("ShaderNodeBackground")
    ramp, gradient, where = (nodes.new(f"ShaderNode{kind}") for kind in ("ValToRGB", "TexGradient", "TexCoord"))
    ramp.color_ramp.elements[0].color = (0.10, 0.10, 0.11, 1.0)
    ramp.color_ramp.elements[1].color = (0.55, 0.56, 0.6, 1.0)
    links.new(where.outputs["Generated"], gradient.inputs[0])
    links.new(gradient.outputs[0], ramp.inputs[0])
    links.new(ramp.outputs[0], shade.inputs[0])
    links.new(shade.outputs[0], output.inputs[0])
    shade.inputs[1].default_value = 0.6


def _camera() -> None:
    camera = bpy.data.cameras.new("camera")
    camera.angle = FIELD_OF_VIEW
    camera.clip_start, camera.clip_end = 1.0, 500.0
    thing = bpy.data.objects.new("camera", camera)
    thing.location = CAMERA_AT
    thing.rotation_euler = _camera_turn().to_euler()
    bpy.context.scene.collection.objects.link(thing)
    bpy.context.scene.camera = thing


def _camera_turn() -> Matrix:
    return (Vector((0.0, -0.6, 0.0)) - Vector(CAMERA_AT)).to_track_quat("-Z", "Y").to_matrix()


def to_pixels(points: Points) -> Points:
    """Where points (..., 3) of the scene lie in a full-size picture: (..., 2), x to the right and y down."""
    eye = np.array(CAMERA_AT)
    away = np.asarray(_camera_turn())  # columns: right, up, towards the eye
    x, y, z = np.moveaxis((points - eye) @ away, -1, 0)
    z = np.minimum(z, -1.0)  # beside or behind the camera is far outside the picture
    focal_px = WIDTH_PX / 2 / np.tan(FIELD_OF_VIEW / 2)
    return np.stack([WIDTH_PX / 2 - focal_px * x / z, HEIGHT_PX / 2 + focal_px * y / z], axis=-1)


def is_in_sight(points: Points) -> bool:
    """Whether the camera sees any of the points (K, 3): not below the shaft's dark."""
    x, y = to_pixels(points).T
    return bool(np.any((x >= 0) & (x < WIDTH_PX) & (y >= 0) & (y < HEIGHT_PX) & (points[:, 2] > DARK_BELOW)))


def shadows(points: Points) -> Points:
    """The points (K, 3) with their shadows upon the tray: (2 K, 3)."""
    x, y, z = points.T
    share = np.maximum(z, 0.0) / (KEY_AT[2] - np.maximum(z, 0.0))
    cast = np.stack([x + (x - KEY_AT[0]) * share, y + (y - KEY_AT[1]) * share, np.minimum(z, 0.0)], axis=1)
    return np.concatenate([points, cast])


def box_around(points: Points, margin_px: float = 0.0) -> tuple[int, int, int, int]:
    """The pixels (x, y, width, height) of a full-size picture that hold the points; width 0 when none does."""
    corners = to_pixels(points)
    left, top = np.clip(np.floor(corners.min(axis=0) - margin_px), 0, (WIDTH_PX, HEIGHT_PX)).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0) + margin_px), 0, (WIDTH_PX, HEIGHT_PX)).astype(int)
    return int(left), int(top), int(right - left), int(bottom - top)


def set_quality(num_samples: int, scale: float) -> None:
    """How the next pictures are rendered: full size at a scale of 1."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = num_samples
    scene.cycles.use_denoising, scene.cycles.denoiser = True, "OPENIMAGEDENOISE"
    scene.cycles.denoising_prefilter = "FAST"
    scene.cycles.use_adaptive_sampling, scene.cycles.adaptive_threshold = True, 0.03
    scene.cycles.max_bounces, scene.cycles.transmission_bounces, scene.cycles.transparent_max_bounces = 12, 10, 12
    scene.cycles.diffuse_bounces, scene.cycles.glossy_bounces = 2, 4
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    scene.cycles.blur_glossy = 0.5
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    scene.render.use_persistent_data = True
    scene.render.resolution_x, scene.render.resolution_y = round(WIDTH_PX * scale), round(HEIGHT_PX * scale)
    scene.render.use_motion_blur, scene.render.motion_blur_shutter = True, SHUTTER_S * scene.render.fps
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.view_settings.exposure = 0.0


def render(frame: int, box: tuple[int, int, int, int], seed: int, path: Path) -> None:
    """Writes what the camera sees at that frame of the scene within `box`, pixels of a full-size picture, as a PNG."""
    scene = bpy.context.scene
    scene.frame_set(frame)
    scene.cycles.seed = seed
    x, y, width, height = box
    scene.render.use_border = scene.render.use_crop_to_border = True
    scene.render.border_min_x, scene.render.border_max_x = x / WIDTH_PX, (x + width) / WIDTH_PX
    scene.render.border_min_y, scene.render.border_max_y = 1 - (y + height) / HEIGHT_PX, 1 - y / HEIGHT_PX
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
