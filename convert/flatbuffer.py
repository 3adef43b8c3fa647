"""TFLite files packed again after a change, with weights aligned as the schema wants them."""

from __future__ import annotations

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # force_align of Buffer.data in the TFLite schema


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
