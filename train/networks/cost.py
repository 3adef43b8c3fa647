"""What a network costs to run, counted from its layers."""

from __future__ import annotations

from math import prod

import keras
from keras import layers


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds for one picture in convolutions and dense layers, which are nearly all there are."""
    return sum(_of(layer) for layer in model.layers)


def _of(layer: keras.Layer) -> int:
    if isinstance(layer, layers.DepthwiseConv2D):
        return int(prod(layer.output.shape[1:]) * prod(layer.kernel_size))
    if isinstance(layer, layers.Conv2D):
        inputs_each = layer.input.shape[-1] // layer.groups
        return int(prod(layer.output.shape[1:]) * prod(layer.kernel_size) * inputs_each)
    if isinstance(layer, layers.Dense):
        return int(layer.input.shape[-1] * layer.units)
    return 0
