"""Int8 with some layers in float or int16, through LiteRT's own quantizer (litert-quantizer, an extra).

It takes the float network and a recipe: int8 everywhere, and something else for the steps that are named. An
int16 layer keeps int8 weights, and what goes through it gets 16 bits (TensorFlow Lite's 16x8 operators).
"""

from __future__ import annotations

import copy
import importlib.util
import re
import warnings
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from convert.quantizing.twins import activation_names, step_names, tensor
from convert.tflite.converter import samples
from convert.tflite.flatbuffer import pack_model, redirect_ends, rescaling_operator, unpack_model
from convert.tflite.interpreter import open_interpreter
from convert.tflite.rescaling import Normalization
from edge.errors import MissingLibraryError
from edge.host.native import native_stderr_logged
from edge.preprocess import Image

if TYPE_CHECKING:
    from litert_quantizer.quantizer import Quantizer

Wide = Literal["float", "int16"]

_LIBRARY = "litert_quantizer"
_EVERYTHING = ".*"
_INT8, _INT16 = 8, 16  # bits
_BYTE_SHIFT = 128  # from int8 to uint8

_Ranges = Mapping[str, Mapping[str, NDArray[np.float32]]]


def has_quantizer() -> bool:
    """Whether litert-quantizer is installed."""
    return importlib.util.find_spec(_LIBRARY) is not None


@dataclass(frozen=True, slots=True)
class MixedQuantizer:
    """A float network, and the smallest and largest value that each of its tensors took."""

    plain: bytes
    ranges: _Ranges

    def quantize(self, kept: Collection[int], wide: Wide, *, has_byte_output: bool = False) -> bytes:
        """The network in int8 from uint8, but for the `kept` steps (places among `Twins.steps`).

        With `has_byte_output` it also ends in uint8. The same arguments give the same bytes.
        """
        names = step_names(self.plain)
        with native_stderr_logged(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own, of how it looks into the model
            quantizer = _with_recipe(self.plain, {names[place] for place in kept}, wide)
            result = quantizer.quantize(self.ranges, enable_progress_report=False, enable_progress_bar=False)
        return _from_bytes(bytes(result.quantized_model), has_byte_output=has_byte_output)


def open_mixed_quantizer(plain: bytes, expects: Normalization, representative: Sequence[Image]) -> MixedQuantizer:
    """LiteRT's quantizer for a float model that takes (byte - mean) / std, as `expects` says.

    Raises:
        MissingLibraryError: litert-quantizer is not installed.
    """
    if not has_quantizer():
        raise MissingLibraryError.of_extra(
            "a rescue in int16", "litert-quantizer", "rescue", otherwise="take --rescue-in float"
        )
    return MixedQuantizer(plain, _ranges(plain, expects, representative))


def _with_recipe(plain: bytes, kept: Set[str], wide: Wide) -> Quantizer:
    """The quantizer, told what to do with each step; `kept` are the tensors that the kept steps make."""
    from litert_quantizer.qtyping import TFLOperationName as Kind  # noqa: PLC0415  (seconds to import)
    from litert_quantizer.quantizer import Quantizer  # noqa: PLC0415

    quantizer = Quantizer(bytearray(plain))
    quantizer.add_static_config(_EVERYTHING, Kind.ALL_SUPPORTED, _INT8, _INT8)
    outputs, closing = _ends(plain)
    # An output that a step takes, too, must be to both the same: the quantizer hands the step what the output is.
    is_wide_at_the_end = closing <= kept
    for name in sorted(kept if is_wide_at_the_end else kept - outputs):
        _keep(quantizer, f"^{re.escape(name)};$", Kind.ALL_SUPPORTED, wide)  # it ends each scope so
    if is_wide_at_the_end:
        _keep(quantizer, _EVERYTHING, Kind.OUTPUT, wide)
    return quantizer


def _keep(quantizer: Quantizer, scope: str, kind: str, wide: Wide) -> None:
    """Overrule what was said before for the steps of a scope."""
    from litert_quantizer.algorithm_manager import AlgorithmName  # noqa: PLC0415

    if wide == "int16":
        quantizer.add_static_config(scope, kind, _INT16, _INT8)
    else:
        quantizer.update_quantization_recipe(scope, kind, algorithm_key=AlgorithmName.NO_QUANTIZE)


def _ranges(plain: bytes, expects: Normalization, representative: Sequence[Image]) -> _Ranges:
    """The extremes of each activation, as the converter takes them; the quantizer itself would take moving averages.

    None of a constant: the quantizer would give it a single scale for all channels.
    """
    interpreter = open_interpreter(plain, keeps_all=True)
    taken = interpreter.get_input_details()[0]["index"]
    names = activation_names(plain)
    told = [details for details in interpreter.get_tensor_details() if details["name"] in names]
    lowest, highest = np.full(len(told), np.inf, np.float32), np.full(len(told), -np.inf, np.float32)
    for (sample,) in samples(representative, expects):
        interpreter.set_tensor(taken, sample)
        interpreter.invoke()
        values = [interpreter.get_tensor(details["index"]) for details in told]
        lowest = np.minimum(lowest, [value.min() for value in values])
        highest = np.maximum(highest, [value.max() for value in values])
    return {
        details["name"]: {"min": lowest[place, None], "max": highest[place, None]} for place, details in enumerate(told)
    }


def _ends(plain: bytes) -> tuple[Set[str], Set[str]]:
    """The tensors that the model gives, and those made by steps that take one of these, or make the last."""
    model = unpack_model(plain)
    graph = model.subgraphs[0]
    given, taken = set(map(int, graph.outputs)), {int(place) for step in graph.operators for place in step.inputs}
    closing = {int(step.outputs[0]) for step in graph.operators if given & set(map(int, step.inputs))}
    outputs, closing_names = (
        {tensor(model, place).name.decode() for place in places} for places in (given, closing | (given - taken))
    )
    return outputs, closing_names


def _from_bytes(quantized: bytes, *, has_byte_output: bool) -> bytes:
    """The model with camera bytes at its door, where it took int8."""
    model = unpack_model(quantized)
    graph = model.subgraphs[0]
    inner = int(graph.inputs[0])
    outer = _as_bytes(model, inner)
    graph.operators.insert(0, rescaling_operator(model, schema.BuiltinOperator.QUANTIZE, outer, inner))
    ends = {inner: outer}
    if has_byte_output:
        inner = int(graph.outputs[0])
        ends[inner] = _as_bytes(model, inner)
        graph.operators.append(rescaling_operator(model, schema.BuiltinOperator.QUANTIZE, inner, ends[inner]))
    redirect_ends(model, ends)
    return pack_model(model)


def _as_bytes(model: schema.ModelT, place: int) -> int:
    """A uint8 tensor for the same real numbers as an int8 one."""
    twin = copy.deepcopy(tensor(model, place))
    twin.type, twin.name = schema.TensorType.UINT8, twin.name + b"_bytes"
    twin.quantization.zeroPoint = np.asarray(twin.quantization.zeroPoint) + _BYTE_SHIFT
    model.subgraphs[0].tensors.append(twin)
    return len(model.subgraphs[0].tensors) - 1
