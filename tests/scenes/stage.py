"""The fixed scene around an item: a bin's tray seen by a camera under the lid, its lamps, and the renderer."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import bpy
import materials
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray
from PIL import Image
from shapes import Grid, Points, rounded

WIDTH_PX, HEIGHT_PX = 640, 480
CAMERA_AT = (0.0, -4.5, 50.0)  # centimetres above the tray, a little off its middle as a bracket would hold it
FIELD_OF_VIEW = 0.80  # radians across the width: a 42 cm wide view of the tray
TRAY_HALF = (20.0, 14.8)
SENSOR_NOISE = 1.6  # standard deviation in gray levels of a small sensor in room light
JPEG_QUALITY = 88


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the tray (centimetres) and how turned about the vertical (radians) an item lies."""

    x: float
    y: float
    yaw: float


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


def lay_down(item: Item, place: Place) -> list[bpy.types.Object]:
    """The item in the scene, resting on the tray at that place."""
    turn = np.asarray(Matrix.Rotation(place.yaw, 3, "Z")) @ item.pose
    turned = np.concatenate([part.grid.points.reshape(-1, 3) for part in item.parts]) @ turn.T
    middle = (turned.min(axis=0) + turned.max(axis=0)) / 2
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = place.x - middle[0], place.y - middle[1], 0.02 - turned[:, 2].min()
    things = [mesh_object(part) for part in item.parts]
    for thing in things:
        thing.matrix_world = Matrix(matrix.tolist())
    return things


def build_stage() -> None:
    """An empty scene: tray, walls, hinge, lamps and camera."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    half_x, half_y = TRAY_HALF
    ground = materials.board("#d9d8d4", "#a59f95")
    floor = np.array([[[x, y, 0.0] for x in (-half_x, half_x)] for y in (-half_y, half_y)])
    mesh_object(Part(Grid(floor), ground))
    mesh_object(Part(_walls(half_x, half_y), materials.plastic("#8d9195", roughness=0.5, glow=0.0), 1.2))
    hinge = [(0.35, -half_x + 1), (0.35, half_x - 1)]
    _rod(hinge, y=half_y - 0.9, material=materials.metal("#b9bbbd", roughness=0.35))
    _lamp("key", at=(-26.0, 22.0, 62.0), size=15.0, watts=62000.0, color=(1.0, 0.96, 0.9))
    _lamp("fill", at=(34.0, -16.0, 58.0), size=34.0, watts=14000.0, color=(0.9, 0.95, 1.0))
    _lamp("strip", at=(6.0, 34.0, 46.0), size=9.0, watts=5000.0, color=(1.0, 1.0, 1.0))
    _room()
    _camera()


def _walls(half_x: float, half_y: float) -> Grid:
    """The chute around the tray, open above, with rounded corners."""
    corner = rounded([(half_x, 0.0), (half_x, half_y), (0.0, half_y)], 2.5, steps=8)
    quarter = np.asarray(corner)
    outline = np.concatenate([quarter, quarter[::-1] * (-1, 1), quarter * (-1, -1), quarter[::-1] * (1, -1)])
    rows = [np.column_stack([outline, np.full(len(outline), z)]) for z in (-1.0, 4.0, 9.0)]
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
    thing.rotation_euler = (Vector((0.0, -0.6, 0.0)) - Vector(CAMERA_AT)).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(thing)
    bpy.context.scene.camera = thing


def seen_box(things: list[bpy.types.Object]) -> tuple[int, int, int, int]:
    """The pixels (x, y, width, height) that the objects cover in a full-size picture."""
    bpy.context.view_layer.update()
    camera = bpy.context.scene.camera
    to_camera = np.asarray(camera.matrix_world.inverted())
    pixels = []
    for thing in things:
        points = np.ones((len(thing.data.vertices), 4))
        flat = np.empty(len(points) * 3)
        thing.data.vertices.foreach_get("co", flat)
        points[:, :3] = flat.reshape(-1, 3)
        x, y, z, _ = to_camera @ np.asarray(thing.matrix_world) @ points.T
        focal_px = WIDTH_PX / 2 / np.tan(camera.data.angle / 2)
        pixels.append(np.stack([WIDTH_PX / 2 - focal_px * x / z, HEIGHT_PX / 2 + focal_px * y / z]))
    corners = np.concatenate(pixels, axis=1)
    left, top = np.maximum(np.floor(corners.min(axis=1)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=1)), (WIDTH_PX, HEIGHT_PX)).astype(int)
    return int(left), int(top), int(right - left), int(bottom - top)


def render(num_samples: int, scale: float, seed: int, num_threads: int) -> NDArray[np.uint8]:
    """What the camera sees, (H, W, 3) uint8 sRGB: full size at a scale of 1."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples, scene.cycles.seed = num_samples, seed
    scene.cycles.use_denoising, scene.cycles.denoiser = True, "OPENIMAGEDENOISE"
    scene.cycles.use_adaptive_sampling = True
    scene.cycles.max_bounces, scene.cycles.transmission_bounces, scene.cycles.transparent_max_bounces = 16, 12, 16
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    scene.cycles.blur_glossy = 0.5
    scene.render.threads_mode, scene.render.threads = "FIXED", num_threads
    scene.render.resolution_x, scene.render.resolution_y = round(WIDTH_PX * scale), round(HEIGHT_PX * scale)
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.view_settings.exposure = 0.0
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "frame.png")
        bpy.ops.render.render(write_still=True)
        return np.asarray(Image.open(scene.render.filepath).convert("RGB"))


def as_camera(picture: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """The clean picture as a cheap camera gives it: darker corners and sensor noise."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[-1.0 : 1.0 : height * 1j, -1.0 : 1.0 : width * 1j]
    falloff = 1.0 - 0.10 * (x**2 + y**2) / 2
    noise = np.random.default_rng(seed).normal(0.0, SENSOR_NOISE, picture.shape)
    return np.clip(picture * falloff[..., None] + noise, 0, 255).round().astype(np.uint8)


def save_jpeg(picture: NDArray[np.uint8], path: Path) -> None:
    """Writes the picture as the JPEG that a webcam would give."""
    Image.fromarray(picture).save(path, quality=JPEG_QUALITY, subsampling="4:2:0", optimize=True)
