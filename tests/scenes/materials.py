"""Procedural materials: node trees of Cycles, each built by one function. Colors are sRGB hex strings."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

Linear = tuple[float, float, float, float]


def linear(color: str) -> Linear:
    """The renderer's linear RGBA of an sRGB color such as "#c8a070"."""
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    red, green, blue = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(red), float(green), float(blue), 1.0


class Tree:
    """A new material and the few verbs that its node tree needs."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()

    def add(self, kind: str, settings: dict[str, Any] | None = None, **inputs: Any) -> Any:
        """A node of that kind; an input takes a value or another node's socket (spaces written as _)."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for key, value in (settings or {}).items():
            setattr(node, key, value)
        for key, value in inputs.items():
            socket = node.inputs[key.replace("_", " ")]
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, socket)
            else:
                socket.default_value = value
        return node

    def mix(self, factor: Any, first: Any, second: Any) -> Any:
        """The color between two colors."""
        node = self.tree.nodes.new("ShaderNodeMix")
        node.data_type = "RGBA"
        for socket, value in ((node.inputs[0], factor), (node.inputs[6], first), (node.inputs[7], second)):
            if isinstance(value, bpy.types.NodeSocket):
                self.tree.links.new(value, socket)
            else:
                socket.default_value = value
        return node.outputs[2]

    def noise(self, scale: float, detail: float = 4.0, *, stretch: tuple[float, float, float] = (1, 1, 1)) -> Any:
        """Noise 0..1 over the object's own coordinates (centimetres)."""
        where = self.add("Mapping", Vector=self.add("TexCoord").outputs["Object"], Scale=stretch)
        return self.add("TexNoise", Vector=where.outputs[0], Scale=scale, Detail=detail).outputs[0]

    def bump(self, height: Any, distance: float, strength: float = 1.0) -> Any:
        """A normal perturbed by a height map; `distance` in centimetres."""
        return self.add("Bump", Height=height, Distance=distance, Strength=strength).outputs[0]

    def blend(self, factor: Any, first: Any, second: Any) -> Any:
        """The shader between two shaders."""
        node = self.add("MixShader")
        for socket, value in zip(node.inputs, (factor, first, second), strict=True):
            self.tree.links.new(value, socket)
        return node.outputs[0]

    def finish(self, shader: Any, volume: Any = None) -> bpy.types.Material:
        """The material with that shader as its surface, and what fills it."""
        output = self.add("OutputMaterial", Surface=shader)
        if volume is not None:
            self.tree.links.new(volume, output.inputs["Volume"])
        return self.material

    def through(self, shader: Any, tint: Linear) -> Any:
        """The shader, but light that only passes through it keeps its way: dimmed at the edges, hardly elsewhere.

        Without this the shadow of glass is black, because caustics are not traced.
        """
        facing = self.add("LayerWeight", Blend=0.3).outputs["Facing"]
        edge = tuple(0.45 * channel for channel in tint[:3])
        clear = self.add("BsdfTransparent", Color=self.mix(facing, tint, (*edge, 1.0))).outputs[0]
        return self.blend(self.add("LightPath").outputs["Is Shadow Ray"], shader, clear)


def picture_texture(tree: Tree, picture: NDArray[np.uint8]) -> Any:
    """The (H, W, 3) uint8 sRGB picture over the surface's UV square."""
    height, width = picture.shape[:2]
    image = bpy.data.images.new("artwork", width, height)
    rgba = np.ones((height, width, 4), dtype=np.float32)
    rgba[..., :3] = picture[::-1] / 255  # rows from the bottom up
    image.pixels.foreach_set(rgba.ravel())
    image.pack()
    return tree.add("TexImage", {"image": image, "extension": "EXTEND"}).outputs["Color"]


def printed(
    picture: NDArray[np.uint8], *, roughness: float = 0.4, metallic: float = 0.0, wrinkle: float = 0.01
) -> bpy.types.Material:
    """A printed surface: paper when rough, painted can or foil when metallic."""
    tree = Tree("printed")
    normal = tree.bump(tree.noise(3.0), wrinkle)
    color = picture_texture(tree, picture)
    shader = tree.add("BsdfPrincipled", Base_Color=color, Roughness=roughness, Metallic=metallic, Normal=normal)
    return tree.finish(shader.outputs[0])


def metal(color: str = "#d8d8da", *, roughness: float = 0.22, brush: float = 0.004) -> bpy.types.Material:
    """Bare metal, brushed around the z axis of the object."""
    tree = Tree("metal")
    grain = tree.noise(2.5, 6.0, stretch=(0.6, 0.6, 12.0))
    dull = tree.add("MapRange", Value=tree.noise(1.2), To_Min=roughness * 0.7, To_Max=roughness * 1.5).outputs[0]
    shader = tree.add(
        "BsdfPrincipled", Base_Color=linear(color), Metallic=1.0, Roughness=dull, Normal=tree.bump(grain, brush)
    )
    return tree.finish(shader.outputs[0])


def glass(color: str, *, ior: float = 1.5, waviness: float = 0.004, body: str = "") -> bpy.types.Material:
    """Clear or colored glass and PET, for closed shells with an outer and an inner face.

    `color` tints each face; `body` is what 1 cm of the glass itself does to light, so that thick edges show it.
    """
    tree = Tree("glass")
    tint = linear(color)
    shader = tree.add(
        "BsdfPrincipled",
        Base_Color=tint,
        Transmission_Weight=1.0,
        IOR=ior,
        Roughness=0.0,
        Normal=tree.bump(tree.noise(0.9, 2.0), waviness),
    )
    if body:
        inside = tree.add("VolumeAbsorption", Color=linear(body), Density=1.0).outputs[0]
        return tree.finish(tree.through(shader.outputs[0], tint), inside)
    return tree.finish(tree.through(shader.outputs[0], tint))


def plastic(color: str, *, roughness: float = 0.35, glow: float = 0.15) -> bpy.types.Material:
    """Opaque or milky plastic; `glow` is how much light travels inside it."""
    tree = Tree("plastic")
    shader = tree.add(
        "BsdfPrincipled",
        Base_Color=linear(color),
        Roughness=roughness,
        Subsurface_Weight=glow,
        Subsurface_Scale=0.6,
        Subsurface_Radius=(1.0, 0.9, 0.8),
        Normal=tree.bump(tree.noise(0.7, 2.0), 0.03),
    )
    return tree.finish(shader.outputs[0])


def paper(color: str, *, grain: float = 0.02, speckle: float = 0.06) -> bpy.types.Material:
    """Uncoated paper and tissue: matte, a little light shines through, fibers in the color."""
    tree = Tree("paper")
    fibers = tree.noise(9.0, 6.0)
    dark = tuple(channel * (1 - 4 * speckle) for channel in linear(color)[:3])
    tone = tree.mix(fibers, linear(color), (*dark, 1.0))
    normal = tree.bump(tree.noise(2.0, 8.0), grain)
    diffuse = tree.add("BsdfPrincipled", Base_Color=tone, Roughness=0.9, Specular_IOR_Level=0.2, Normal=normal)
    passing = tree.add("BsdfTranslucent", Color=tone, Normal=normal)
    share = tree.add("Value")
    share.outputs[0].default_value = 0.18
    return tree.finish(tree.blend(share.outputs[0], diffuse.outputs[0], passing.outputs[0]))


def kraft(color: str = "#b58d60", *, flutes: float = 0.012) -> bpy.types.Material:
    """Corrugated board: brown fibers, and the flutes faintly showing through along x."""
    tree = Tree("kraft")
    blotch = tree.mix(tree.noise(0.35), linear(color), (*(0.78 * channel for channel in linear(color)[:3]), 1.0))
    tone = tree.mix(
        tree.add("MapRange", Value=tree.noise(14.0, 8.0), To_Max=0.45).outputs[0], blotch, linear("#7d5a38")
    )
    where = tree.add("TexCoord").outputs["Object"]
    wave = tree.add("TexWave", {"bands_direction": "X"}, Vector=where, Scale=0.55, Distortion=0.5).outputs[1]
    normal = tree.bump(wave, flutes, 0.6)
    grained = tree.add("Bump", Height=tree.noise(12.0), Distance=0.012, Normal=normal).outputs[0]
    return tree.finish(tree.add("BsdfPrincipled", Base_Color=tone, Roughness=0.85, Normal=grained).outputs[0])


def worn(color: str) -> bpy.types.Material:
    """The bin's own plastic: grained, with scuffs and pale smears."""
    tree = Tree("worn")
    smear = tree.add("MapRange", Value=tree.noise(0.25, 6.0), From_Min=0.5, From_Max=0.8, To_Max=0.35).outputs[0]
    pale = tuple(min(1.0, 1.5 * channel + 0.03) for channel in linear(color)[:3])
    scuff = tree.add(
        "MapRange", Value=tree.noise(0.9, 4.0, stretch=(0.2, 0.2, 3.0)), From_Min=0.62, From_Max=0.75, To_Max=0.4
    )
    tone = tree.mix(scuff.outputs[0], tree.mix(smear, linear(color), (*pale, 1.0)), (*pale, 1.0))
    normal = tree.bump(tree.noise(14.0, 3.0), 0.02)
    return tree.finish(tree.add("BsdfPrincipled", Base_Color=tone, Roughness=0.5, Normal=normal).outputs[0])


def board(color: str, dirt: str) -> bpy.types.Material:
    """The tray: pale matte plastic with faint stains and scratches."""
    tree = Tree("board")
    stains = tree.add("MapRange", Value=tree.noise(0.12, 5.0), From_Min=0.44, From_Max=0.74, To_Max=0.55).outputs[0]
    scratch = tree.add(
        "MapRange", Value=tree.noise(1.5, 3.0, stretch=(0.15, 4.0, 1.0)), From_Min=0.58, From_Max=0.72, To_Max=0.45
    )
    tone = tree.mix(scratch.outputs[0], tree.mix(stains, linear(color), linear(dirt)), linear(dirt))
    normal = tree.bump(tree.noise(18.0, 3.0), 0.006)
    return tree.finish(tree.add("BsdfPrincipled", Base_Color=tone, Roughness=0.62, Normal=normal).outputs[0])
