"""Narrower ranges for activations: a few outliers cost less when they are clipped than when all else is coarse.

The converter takes the smallest and the largest value it ever saw. Here each range shrinks to the share of it
with the least mean squared error over the representative pictures, after rounding and clipping.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from convert.quantizing.twins import RESCALING, Floats, Twins, kind_of, tensor

_NUM_BINS = 2048  # eight for each int8 step of the full range
_SHARES = np.linspace(0.3, 1.0, 36)
_LOWEST, _HIGHEST = -128, 127

# They take and give any scale.
_FREE = RESCALING | {schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE}


Ranges = Mapping[int, tuple[float, int]]
"""Scale and zero point, by tensor of the float model."""


def find_ranges(twins: Twins, pictures: Iterable[NDArray[np.float32]]) -> Ranges:
    """The scale and zero point with the least error, for activations that may have any.

    None reaches further than the one of the int8 model, which the converter found on more pictures.
    """
    free = _free_tensors(twins)
    edges = {plain: np.linspace(*_range(twins, quantized), _NUM_BINS + 1) for quantized, plain in free.items()}
    counts = {plain: np.zeros(_NUM_BINS) for plain in edges}
    for activation in twins.activations(pictures):
        for plain in edges:
            lowest, highest = edges[plain][[0, -1]]
            values = activation(plain).clip(lowest, highest)
            counts[plain] += np.histogram(values, _NUM_BINS, (lowest, highest))[0]
    return {plain: best_range(edges[plain], counts[plain]) for plain in edges}


def set_ranges(twins: Twins, ranges: Ranges) -> None:
    """Let activations of `twins.quantized` have these ranges, where they may have any.

    Biases depend on these scales: `convert.quantizing.correction` must write them anew afterwards.
    """
    for quantized, plain in _free_tensors(twins).items():
        if plain in ranges:
            _set_range(twins, quantized, *ranges[plain])


def _free_tensors(twins: Twins) -> dict[int, int]:
    """Int8 activations between rescaling steps, by index in the int8 model and in the float one.

    The model's outputs keep their ranges: an unusual picture may need all of it.
    """
    model, graph = twins.quantized, twins.quantized.subgraphs[0]
    made = {int(step.quantized.outputs[0]): int(step.plain.outputs[0]) for step in twins.steps}
    bound = {int(place) for place in graph.outputs}
    for step in graph.operators:
        kind, places = kind_of(model, step), [int(place) for place in (*step.inputs, *step.outputs)]
        if kind == schema.BuiltinOperator.QUANTIZE and places[0] in made:
            made[places[1]] = made[places[0]]  # back in int8 behind a layer in float or int16
        elif kind not in _FREE:
            bound |= set(places)
    return {
        quantized: plain
        for quantized, plain in made.items()
        if quantized not in bound and tensor(model, quantized).type == schema.TensorType.INT8
    }


def _range(twins: Twins, place: int) -> tuple[float, float]:
    quantization = tensor(twins.quantized, place).quantization
    scale, zero_point = float(quantization.scale[0]), int(quantization.zeroPoint[0])
    return (_LOWEST - zero_point) * scale, (_HIGHEST - zero_point) * scale


def _set_range(twins: Twins, place: int, scale: float, zero_point: int) -> None:
    quantization = tensor(twins.quantized, place).quantization
    quantization.scale = np.array([scale], np.float32)
    quantization.zeroPoint = np.array([zero_point], np.int64)


def best_range(edges: Floats, counts: Floats) -> tuple[float, int]:
    """Scale and zero point of the share of the range with the least squared error."""
    centers = (edges[:-1] + edges[1:]) / 2
    candidates = [_affine(edges[0] * share, edges[-1] * share) for share in _SHARES]
    return min(candidates, key=lambda affine: _error(centers, counts, *affine))


def _affine(lowest: float, highest: float) -> tuple[float, int]:
    scale = (highest - lowest) / (_HIGHEST - _LOWEST)
    return scale, round(_LOWEST - lowest / scale)


def _error(values: Floats, counts: Floats, scale: float, zero_point: int) -> float:
    stored = (np.rint(values / scale) + zero_point).clip(_LOWEST, _HIGHEST)
    return float(((stored - zero_point) * scale - values) ** 2 @ counts)
