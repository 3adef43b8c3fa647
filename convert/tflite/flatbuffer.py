"""TFLite files unpacked to be changed, and packed again with weights aligned as the schema wants them."""

from __future__ import annotations

from collections.abc import Mapping

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # force_align of Buffer.data in the TFLite schema
_NO_OFFSET = 1  # 0 and 1 are no offset, after the same schema


def unpack_model(content: bytes) -> schema.ModelT:
    """The model in `content`, with all constants inside it: some files keep them behind, and name their offset."""
    model = schema.ModelT.InitFromPackedBuf(content)
    for buffer in model.buffers:
        if buffer.offset > _NO_OFFSET:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def pack_model(model: schema.ModelT) -> bytes:
    """The bytes of the model; its buffers are replaced by aligned ones."""
    model.buffers = [_AlignedBuffer(buffer.data, buffer.offset, buffer.size) for buffer in model.buffers]
    builder = flatbuffers.Builder(sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None) + 65536)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A buffer whose data keep the alignment of the schema, which the generated code forgets."""

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802  (the generated code's name)
        position = None if self.data is None else self._write(builder)
        schema.BufferStart(builder)
        if position is not None:
            schema.BufferAddData(builder, position)
        return int(schema.BufferEnd(builder))

    def _write(self, builder: flatbuffers.Builder) -> int:
        content = np.asarray(self.data, np.uint8).tobytes()
        builder.StartVector(1, len(content), _ALIGNMENT)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        return int(builder.EndVector())


def rescaling_operator(model: schema.ModelT, kind: int, taken: int, given: int) -> schema.OperatorT:
    """A QUANTIZE or DEQUANTIZE from one tensor to another, for the caller to put in its place."""
    operator = schema.OperatorT()
    operator.opcodeIndex = _opcode(model, kind)
    operator.inputs, operator.outputs = np.array([taken], np.int32), np.array([given], np.int32)
    return operator


def _opcode(model: schema.ModelT, kind: int) -> int:
    for place, code in enumerate(model.operatorCodes):
        if code.builtinCode == kind:
            return place
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 2 if kind == schema.BuiltinOperator.DEQUANTIZE else 1  # the first to know int8
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def redirect_ends(model: schema.ModelT, places: Mapping[int, int]) -> None:
    """Let other tensors be the inputs and outputs that are named in `places`."""
    graph = model.subgraphs[0]
    graph.inputs, graph.outputs = (
        np.array([places.get(int(place), int(place)) for place in found], np.int32)
        for found in (graph.inputs, graph.outputs)
    )
    for signature in model.signatureDefs or []:
        for end in (*signature.inputs, *signature.outputs):
            end.tensorIndex = places.get(end.tensorIndex, end.tensorIndex)


def without_unused(model: schema.ModelT) -> schema.ModelT:
    """The model, without tensors and buffers of its first subgraph that no operator and no output needs."""
    graph = model.subgraphs[0]
    ends = [*graph.inputs, *graph.outputs]
    used = sorted({int(place) for step in graph.operators for place in (*step.inputs, *step.outputs)} | set(ends))
    places = {old: new for new, old in enumerate(place for place in used if place >= 0)} | {-1: -1}
    graph.tensors = [graph.tensors[place] for place in used if place >= 0]
    graph.inputs, graph.outputs = (_moved(found, places) for found in (graph.inputs, graph.outputs))
    for step in graph.operators:
        step.inputs, step.outputs = _moved(step.inputs, places), _moved(step.outputs, places)
    for signature in model.signatureDefs or []:
        for end in (*signature.inputs, *signature.outputs):
            end.tensorIndex = places[end.tensorIndex]
    _drop_buffers(model)
    return model


def _moved(found: NDArray[np.int32], places: Mapping[int, int]) -> NDArray[np.int32]:
    return np.array([places[int(place)] for place in found], np.int32)


def _drop_buffers(model: schema.ModelT) -> None:
    """Keep the buffers that tensors and metadata name, and the first, which must stay empty."""
    owners = [*model.subgraphs[0].tensors, *(model.metadata or [])]
    used = sorted({0} | {owner.buffer for owner in owners})
    places = {old: new for new, old in enumerate(used)}
    model.buffers = [model.buffers[place] for place in used]
    for owner in owners:
        owner.buffer = places[owner.buffer]
