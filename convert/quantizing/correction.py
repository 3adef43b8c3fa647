"""Int8 weights and biases, chosen so that every layer still answers what it answered in float.

The converter rounds each weight to its nearest step. But a layer's inputs rise and fall together, neighbouring
pixels most of all, so that these errors add up. Here a filter's weights are rounded one after another, each
making up for those before it (Frantar et al. 2022, "GPTQ", section 3, after Hassibi and Stork 1993), and the
bias takes the mean error that is left (Nagel et al. 2019, "Data-Free Quantization", section 4.2). Only numbers
change: the model runs as fast as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from convert.proof.held_out import Progress, silently
from convert.quantizing.ranges import Ranges, find_ranges, set_ranges
from convert.quantizing.twins import (
    DENSE,
    DEPTHWISE,
    LAYERS,
    Activation,
    Floats,
    Step,
    Twins,
    constants,
    open_twins,
    replace_constants,
    scales,
    tensor,
)
from convert.tflite.flatbuffer import pack_model
from convert.tflite.rescaling import BYTES, Normalization
from edge.preprocess import Image

# Enough to tell how the inputs of a layer vary together: 48 pictures with 64 places each.
NUM_PICTURES, NUM_PLACES = 48, 64

_MOST_INPUTS = 8192  # of a layer: behind flattened maps there may be 86,528, whose covariance takes 60 GB
_LARGEST = 127  # symmetric int8: -128 stays unused
_LARGEST_BIAS = 2**30  # half of int32: what a filter adds to its bias must fit, too
_DAMPING = 0.01  # share of the mean variance, where inputs hardly vary; GPTQ's own default
_BLOCK = 128  # inputs; GPTQ's own


@dataclass(slots=True, eq=False)
class _Statistics:
    """Mean and covariance of a layer's inputs, for G groups of n inputs each, gathered bit by bit.

    Sums are of what differs from the first picture's mean, or the squares of inputs that hardly vary would drown
    in the rounding of what they have in common. Of more than `_MOST_INPUTS` only the mean is kept.
    """

    count: int = 0
    origin: Floats | float = 0.0
    total: Floats | float = 0.0
    products: Floats | float = 0.0

    def add(self, inputs: NDArray[np.float32]) -> None:
        """Take in (G, N, n) inputs."""
        if not self.count:
            self.origin = inputs.mean(axis=1, dtype=np.float64)
        shifted = inputs - np.asarray(self.origin)[:, None]
        self.count += inputs.shape[1]
        self.total += shifted.sum(axis=1)
        if inputs.shape[-1] <= _MOST_INPUTS:
            self.products += np.swapaxes(shifted, 1, 2) @ shifted

    def mean(self) -> Floats:
        """(G, n)."""
        return np.asarray(self.origin + self.total / self.count)

    def covariance(self) -> Floats:
        """(G, n, n)."""
        mean = np.asarray(self.total) / self.count
        return np.asarray(self.products) / self.count - mean[:, :, None] * mean[:, None, :]


@dataclass(frozen=True, slots=True, eq=False)
class _Rounding:
    """A layer's weights as whole numbers of `steps`, and the mean error that is left of each filter's output."""

    steps: Floats
    rounded: Floats
    left: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """What the float model `plain` showed on some pictures, as it `expects` them: every int8 form is mended by that.

    `ranges` are by tensor of the float model, `seen` by place among `Twins.steps`; `roundings` remembers the last
    of each place, since forms that differ in a few layers share most of them.
    """

    plain: bytes
    expects: Normalization
    ranges: Ranges
    seen: Mapping[int, _Statistics]
    roundings: dict[int, _Rounding] = field(default_factory=dict)

    def of(self, quantized: bytes) -> bytes:
        """The `quantized` model with better numbers; the same model gives the same bytes.

        Raises:
            InvalidDataError: it is not the same network.
        """
        twins = open_twins(self.plain, quantized)
        set_ranges(twins, self.ranges)
        for place, layer in enumerate(twins.steps):
            if layer.kind in LAYERS and _has_int8_weights(twins, layer):
                self._correct(twins, place, layer)
        return pack_model(twins.quantized)

    def _correct(self, twins: Twins, place: int, layer: Step) -> None:
        """Round one layer's weights anew, and let its bias, where it has one, take what is left of the mean error."""
        _, weights_place, bias_place = layer.quantized.inputs
        has_bias = bias_place >= 0
        float_bias = constants(twins.plain, layer.plain.inputs[2], np.float32) if has_bias else np.zeros(1)
        weight_scales = _widen_scales(twins, layer, float_bias)
        rounding = self._rounding(twins, place, layer, weight_scales)
        shape = tensor(twins.quantized, weights_place).shape
        weights = _ungrouped(rounding.rounded, shape, is_depthwise=layer.kind == DEPTHWISE)
        replace_constants(twins.quantized, weights_place, weights, np.int8)
        if not has_bias:
            return
        bias_scales = weight_scales * scales(twins.quantized, layer.quantized.inputs[0])
        bias = np.rint((float_bias + rounding.left) / bias_scales)
        is_wide = tensor(twins.quantized, bias_place).type == schema.TensorType.INT64  # where activations are int16
        replace_constants(twins.quantized, bias_place, bias, np.int64 if is_wide else np.int32)
        tensor(twins.quantized, bias_place).quantization.scale = bias_scales.astype(np.float32)

    def _rounding(self, twins: Twins, place: int, layer: Step, weight_scales: Floats) -> _Rounding:
        former = self.roundings.get(place)
        if former is not None and np.array_equal(former.steps, weight_scales):
            return former
        weights = constants(twins.plain, layer.plain.inputs[1], np.float32)
        grouped = _grouped(weights, is_depthwise=layer.kind == DEPTHWISE)
        steps = np.broadcast_to(weight_scales, grouped.shape[0] * grouped.shape[1]).reshape(grouped.shape[:2])
        if grouped.shape[-1] <= _MOST_INPUTS:
            rounded = round_weights(grouped, steps, self.seen[place].covariance())
        else:
            rounded = _nearest(grouped, steps[..., None])
        left = ((grouped - rounded * steps[..., None]) @ self.seen[place].mean()[..., None]).reshape(-1)
        self.roundings[place] = _Rounding(weight_scales, rounded, left)
        return self.roundings[place]


def open_correction(
    plain: bytes,
    quantized: bytes,
    pictures: Sequence[Image],
    expects: Normalization = BYTES,
    progress: Progress = silently,
) -> Correction:
    """What `plain` shows on some representative pictures; `quantized` is it in int8, as the converter made it.

    Both are the network behind its rescaling: the converter would fold a mere factor into the filters of `plain`,
    which then are those of `quantized` no more.

    Raises:
        InvalidDataError: the two are not the same network.
    """
    twins = open_twins(plain, quantized)
    chosen = [expects.of(picture) for picture in pictures[:: max(1, len(pictures) // NUM_PICTURES)]]
    ranges = find_ranges(twins, progress(chosen, "ranges of the layers"))
    return Correction(plain, expects, ranges, _gather(twins, progress(chosen, "inputs of the layers")))


def _has_int8_weights(twins: Twins, layer: Step) -> bool:
    """Whether the layer is quantized, and not one of those that were kept in float."""
    return bool(tensor(twins.quantized, layer.quantized.inputs[1]).type == schema.TensorType.INT8)


def _widen_scales(twins: Twins, layer: Step, bias: Floats) -> Floats:
    """The scale of each filter, coarser where the filter is dead and all that it gives is its bias.

    In steps of weights that are nearly zero, that bias would not fit into its int32.
    """
    taken, given = (scales(twins.quantized, ends[0]) for ends in (layer.quantized.inputs, layer.quantized.outputs))
    smallest = np.maximum(np.abs(bias), given) / (taken * _LARGEST_BIAS)
    quantization = tensor(twins.quantized, layer.quantized.inputs[1]).quantization
    own = np.asarray(quantization.scale)
    quantization.scale = np.maximum(own, smallest if own.size > 1 else smallest.max()).astype(np.float32)
    return scales(twins.quantized, layer.quantized.inputs[1])


def _grouped(weights: Floats, *, is_depthwise: bool) -> Floats:
    """As (G, F, n): F filters over each of G groups of n inputs; each channel is a group in a depthwise layer."""
    if is_depthwise:
        return weights.reshape(-1, weights.shape[-1]).T[:, None, :].copy()
    return weights.reshape(1, weights.shape[0], -1).copy()


def _ungrouped(grouped: Floats, shape: NDArray[np.int32], *, is_depthwise: bool) -> Floats:
    return (grouped[:, 0, :].T if is_depthwise else grouped[0]).reshape(shape)


def round_weights(weights: Floats, steps: Floats, covariance: Floats) -> Floats:
    """Whole numbers of steps, (G, F, n), that keep each filter's output as near as rounding in turn can.

    With the damped covariance as R Rᵀ, R upper triangular, each place adds to the error what those before it left
    and what it leaves itself: it is rounded from where both together are nothing. That is GPTQ without its
    inverse (Chen et al. 2025, "The Geometry of LLM Quantization: GPTQ as Babai's Nearest Plane Algorithm"), and
    with its blocks: most of what was left is taken in by one product of matrices a block.
    """
    num_inputs = weights.shape[-1]
    spread = np.trace(covariance, axis1=1, axis2=2) / num_inputs
    damping = np.maximum(_DAMPING * spread, np.finfo(np.float32).tiny)
    damped = covariance + damping[:, None, None] * np.eye(num_inputs)
    upper = np.flip(np.linalg.cholesky(np.flip(damped, (1, 2))), (1, 2))
    pull = upper / np.diagonal(upper, axis1=1, axis2=2)[:, None, :]
    wanted, rounded, errors = weights.copy(), np.empty_like(weights), np.empty_like(weights)
    for start in range(0, num_inputs, _BLOCK):
        block = slice(start, start + _BLOCK)
        wanted[..., block] += errors[..., :start] @ pull[:, :start, block]
        for place in range(start, min(start + _BLOCK, num_inputs)):
            near = slice(start, place)
            wanted[..., place] += (errors[..., near] @ pull[:, near, place, None])[..., 0]
            rounded[..., place] = _nearest(wanted[..., place], steps)
            errors[..., place] = weights[..., place] - rounded[..., place] * steps
    return rounded


def _nearest(weights: Floats, steps: Floats) -> Floats:
    return np.rint(weights / steps).clip(-_LARGEST, _LARGEST)


def _gather(twins: Twins, pictures: Iterable[NDArray[np.float32]]) -> dict[int, _Statistics]:
    """What goes into each layer of the float model, over the pictures."""
    statistics = {place: _Statistics() for place, step in enumerate(twins.steps) if step.kind in LAYERS}
    chance = np.random.default_rng(0)
    for activation in twins.activations(pictures):
        for place, seen in statistics.items():
            seen.add(_inputs(twins, twins.steps[place], activation, chance))
    return statistics


def _inputs(twins: Twins, layer: Step, activation: Activation, chance: np.random.Generator) -> NDArray[np.float32]:
    """What a layer sees at some places of one activation, as (G, N, n) in the order of its weights."""
    values = activation(int(layer.plain.inputs[0]))
    if layer.kind == DENSE:
        return values.reshape(1, 1, -1)
    _, height, width, _ = tensor(twins.plain, layer.plain.inputs[1]).shape
    windows = _windows(values[0], (int(height), int(width)), layer.plain.builtinOptions)
    num_places = windows.shape[0] * windows.shape[1]
    chosen = np.sort(chance.choice(num_places, min(NUM_PLACES, num_places), replace=False))
    patches = windows[np.unravel_index(chosen, windows.shape[:2])]  # (N, channels, height, width)
    if layer.kind == DEPTHWISE:
        return np.moveaxis(patches, 0, 1).reshape(patches.shape[1], len(patches), -1)
    return np.moveaxis(patches, 1, -1).reshape(1, len(patches), -1)


def _windows(
    activation: NDArray[np.float32], size: tuple[int, int], options: schema.Conv2DOptionsT
) -> NDArray[np.float32]:
    """A view of (rows, columns, channels, height, width): each place a filter looks at, as TFLite pads it."""
    strides = (options.strideH, options.strideW)
    padding = [(0, 0)] * 3
    if options.padding == schema.Padding.SAME:
        padding = [*map(_same_padding, activation.shape, size, strides), (0, 0)]
    padded = np.pad(activation, padding)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(0, 1))
    return windows[:: strides[0], :: strides[1]]


def _same_padding(length: int, size: int, stride: int) -> tuple[int, int]:
    total = max((-(-length // stride) - 1) * stride + size - length, 0)
    return total // 2, total - total // 2
