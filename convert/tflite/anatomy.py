"""What is inside a .tflite file: tensors, operators and what its metadata say, read without running it."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers.table import Table  # type: ignore[import-untyped]

from convert.tflite.flatbuffer import unpack_model
from edge.bundle import Precision
from edge.errors import InvalidDataError

METADATA_NAME = b"TFLITE_METADATA"

_OPERATOR_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_TYPE_NAMES = {code: name.lower() for name, code in vars(schema.TensorType).items() if not name.startswith("_")}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor. `shape` has -1 where a size is open; `scale` is 0 where it is not quantized."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int
    num_bytes: int

    @property
    def is_static(self) -> bool:
        """All its sizes are known before it runs."""
        return -1 not in self.shape


@dataclass(frozen=True, slots=True)
class Operator:
    """One step: its name in the TFLite schema (CUSTOM/… for others), and the tensors it takes and gives."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The first subgraph of a model, and the normalization (mean, std) that its metadata give, if any."""

    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]
    normalization: tuple[float, float] | None

    @property
    def precision(self) -> Precision:
        """What its weights and activations are, in the words of a bundle's manifest."""
        names = {operator.name for operator in self.operators}
        weights = {tensor.dtype for tensor in self.tensors if tensor.num_bytes > 1}
        activations = [self.tensors[index] for operator in self.operators for index in operator.outputs]
        quantized = [tensor.dtype for tensor in activations if tensor.scale]
        if quantized or "QUANTIZE" in names:
            return "int16" if 2 * quantized.count("int16") > len(quantized) else "int8"
        if "int8" in weights:
            return "dynamic"
        return "float16" if "float16" in weights else "float32"

    @property
    def parameter_bytes(self) -> int:
        """The size of all constants together."""
        return sum(tensor.num_bytes for tensor in self.tensors)

    def ends_in_probabilities(self, output: int) -> bool:
        """Whether the tensor comes out of a softmax or sigmoid, requantized or not."""
        makers = {index: operator for operator in self.operators for index in operator.outputs}
        maker = makers.get(output)
        while maker is not None and maker.name in {"QUANTIZE", "DEQUANTIZE", "RESHAPE"}:
            maker = makers.get(maker.inputs[0])
        return maker is not None and maker.name in {"SOFTMAX", "LOGISTIC"}


def read_anatomy(model: bytes, origin: Path) -> Anatomy:
    """The anatomy of the .tflite file in `model`; `origin` only names it in errors.

    Raises:
        InvalidDataError: it is not a TFLite model.
    """
    if model[4:8] != b"TFL3":
        raise InvalidDataError(f"{origin} is not a TFLite model: expected a .tflite file")
    try:
        root = unpack_model(model)
        return _anatomy(root)
    except (struct.error, IndexError, TypeError, ValueError) as error:
        raise InvalidDataError(f"{origin} is a damaged TFLite model ({error}): copy it again") from error


def packed_labels(model: bytes) -> str | None:
    """The text of the first label file that is appended to the model."""
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            names = [name for name in archive.namelist() if "label" in name.lower() and name.endswith(".txt")]
            return archive.read(names[0]).decode() if names else None
    except (zipfile.BadZipFile, UnicodeDecodeError):
        return None


def _anatomy(root: schema.ModelT) -> Anatomy:
    graph = root.subgraphs[0]
    return Anatomy(
        tensors=tuple(_tensor(tensor, root.buffers) for tensor in graph.tensors),
        inputs=tuple(map(int, graph.inputs)),
        outputs=tuple(map(int, graph.outputs)),
        operators=tuple(
            Operator(
                _operator_name(root.operatorCodes[operator.opcodeIndex]),
                tuple(map(int, operator.inputs)),
                tuple(map(int, operator.outputs)),
            )
            for operator in graph.operators
        ),
        normalization=_normalization(root),
    )


def _tensor(tensor: schema.TensorT, buffers: list[schema.BufferT]) -> Tensor:
    quantization = tensor.quantization
    is_quantized = quantization is not None and quantization.scale is not None and len(quantization.scale) > 0
    shape = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
    content = buffers[tensor.buffer].data
    return Tensor(
        name=tensor.name.decode(errors="replace"),
        shape=() if shape is None else tuple(map(int, shape)),
        dtype=_TYPE_NAMES[tensor.type],
        scale=float(quantization.scale[0]) if is_quantized else 0.0,
        zero_point=int(quantization.zeroPoint[0]) if is_quantized else 0,
        num_bytes=0 if content is None else len(content),
    )


def _operator_name(code: schema.OperatorCodeT) -> str:
    # Files made before 2020 leave the newer field at 0; the larger of the two is meant.
    number = max(code.deprecatedBuiltinCode, code.builtinCode)
    if number == schema.BuiltinOperator.CUSTOM:
        return f"CUSTOM/{(code.customCode or b'').decode(errors='replace')}"
    return str(_OPERATOR_NAMES.get(number, f"operator {number}"))


def _normalization(root: schema.ModelT) -> tuple[float, float] | None:
    """Mean and std of the first input's NormalizationOptions, where the metadata have them."""
    entry = next((entry for entry in root.metadata or [] if entry.name == METADATA_NAME), None)
    if entry is None:
        return None
    content = np.asarray(root.buffers[entry.buffer].data, np.uint8).tobytes()
    table = Table(bytearray(content), flatbuffers.encode.Get(flatbuffers.packer.uoffset, content, 0))
    # The places are those of fields in metadata_schema.fbs: subgraphs, inputs, process units.
    for subgraph in _children(table, 3):
        for image in _children(subgraph, 2):
            for unit in _children(image, 4):
                return _mean_and_std(unit)
    return None


def _children(table: Table, place: int) -> Iterator[Table]:
    offset = table.Offset(4 + 2 * place)
    if offset == 0:
        return
    start = table.Vector(offset)
    for index in range(table.VectorLen(offset)):
        yield Table(table.Bytes, table.Indirect(start + 4 * index))


def _mean_and_std(unit: Table) -> tuple[float, float] | None:
    kind, options = unit.Offset(4), unit.Offset(6)
    is_normalization = kind and options and unit.Get(flatbuffers.number_types.Uint8Flags, kind + unit.Pos) == 1
    if not is_normalization:
        return None
    table = Table(unit.Bytes, unit.Indirect(options + unit.Pos))
    mean, std = (_first_float(table, place) for place in (0, 1))
    return None if mean is None or std is None else (mean, std)


def _first_float(table: Table, place: int) -> float | None:
    offset = table.Offset(4 + 2 * place)
    if offset == 0 or table.VectorLen(offset) == 0:
        return None
    return float(table.Get(flatbuffers.number_types.Float32Flags, table.Vector(offset)))
