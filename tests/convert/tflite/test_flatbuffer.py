"""TFLite files as other tools write them are unpacked whole."""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.tflite.flatbuffer import pack_model, unpack_model

WEIGHTS = np.arange(40, dtype=np.uint8)


def behind(offset: int) -> bytes:
    """A model with one constant that is `offset` bytes into the file."""
    model, graph, weights = schema.ModelT(), schema.SubGraphT(), schema.BufferT()
    weights.offset, weights.size = offset, len(WEIGHTS)
    model.buffers, model.subgraphs = [schema.BufferT(), weights], [graph]
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def test_constants_behind_the_model_are_brought_inside() -> None:
    content = behind(len(behind(1000))) + WEIGHTS.tobytes()
    found = unpack_model(content).buffers[1]

    assert np.array_equal(found.data, WEIGHTS)
    assert np.array_equal(unpack_model(pack_model(unpack_model(content))).buffers[1].data, WEIGHTS)
