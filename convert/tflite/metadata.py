"""Standard TFLite metadata: labels and normalization inside the .tflite, where other tools look for them.

A flatbuffer of its own (metadata_schema.fbs of the TFLite metadata specification 1.5, identifier M001) goes
into a buffer of the model named TFLITE_METADATA; the label file is appended to the model as a ZIP archive.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.tflite.anatomy import METADATA_NAME
from convert.tflite.flatbuffer import pack_model, unpack_model
from convert.tflite.rescaling import BYTES, Normalization

LABELS_FILE = "labels.txt"


_METADATA_IDENTIFIER = b"M001"
_PARSER_VERSION = "1.0.0"  # nothing newer is used
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a ZIP can say: the same file every time

_RGB, _AXIS_LABELS = 1, 2  # ColorSpaceType, AssociatedFileType
_IMAGE_PROPERTIES, _FEATURE_PROPERTIES, _NORMALIZATION = 2, 1, 1  # members of the unions


@dataclass(frozen=True, slots=True)
class Described:
    """What the metadata says. `output_names` are in the model's order; labels belong to `labelled_output`."""

    name: str
    description: str
    version: str
    labels: Sequence[str]
    output_names: Sequence[str]
    labelled_output: str


def with_metadata(model: bytes, described: Described) -> bytes:
    """The same network with metadata and label file; it runs as before, from weights aligned as before."""
    unpacked = unpack_model(model)
    expects = _expects(unpacked)
    unpacked.buffers.append(schema.BufferT(np.frombuffer(_metadata(described, expects), np.uint8)))
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME, len(unpacked.buffers) - 1
    unpacked.metadata = [*(unpacked.metadata or []), entry]
    return _with_file(pack_model(unpacked), LABELS_FILE, "\n".join(described.labels).encode())


def _with_file(model: bytes, name: str, content: bytes) -> bytes:
    appended = io.BytesIO(model)
    with zipfile.ZipFile(appended, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), content)
    return appended.getvalue()


# A table of the schema: its fields by their place there.
_Table = Mapping[int, "str | int | Sequence[float] | _Table | Sequence[_Table]"]


def _expects(model: schema.ModelT) -> Normalization:
    """What the input expects of a byte: bytes as they are, which a quantized input takes for real numbers."""
    graph = model.subgraphs[0]
    quantization = graph.tensors[graph.inputs[0]].quantization
    if quantization is None or quantization.scale is None:
        return BYTES
    return Normalization(float(quantization.zeroPoint[0]), 1 / float(quantization.scale[0]))


def _metadata(described: Described, expects: Normalization) -> bytes:
    labels: _Table = {0: LABELS_FILE, 1: "One class a line, in the order of the output.", 2: _AXIS_LABELS}
    normalization: _Table = {0: _NORMALIZATION, 1: {0: [expects.mean], 1: [expects.std]}}
    highest, lowest = (255 - expects.mean) / expects.std, -expects.mean / expects.std
    image: _Table = {
        0: "image",
        1: "RGB picture of 0..255, squashed to the size of the input; rescaling happens inside.",
        3: {0: _IMAGE_PROPERTIES, 1: {0: _RGB}},
        4: [normalization],
        5: {0: [highest], 1: [lowest]},
    }
    content: _Table = {0: _FEATURE_PROPERTIES, 1: {}}
    outputs: list[_Table] = [
        {0: name, 3: content, 6: [labels] if name == described.labelled_output else []}
        for name in described.output_names
    ]
    root: _Table = {
        0: described.name,
        1: described.description,
        2: described.version,
        3: [{0: "classifier", 2: [image], 3: outputs}],
        7: _PARSER_VERSION,
    }
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write_table(builder, root), file_identifier=_METADATA_IDENTIFIER)
    return bytes(builder.Output())


def _write_table(builder: flatbuffers.Builder, table: _Table) -> int:
    """Write what a table points to, then the table; its position."""
    positions = {place: _write_child(builder, value) for place, value in table.items() if not isinstance(value, int)}
    builder.StartObject(max(table, default=-1) + 1)
    for place, value in table.items():
        if isinstance(value, int):
            builder.PrependUint8Slot(place, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(place, positions[place], 0)
    return int(builder.EndObject())


def _write_child(builder: flatbuffers.Builder, value: str | Sequence[float] | _Table | Sequence[_Table]) -> int:
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, Mapping):
        return _write_table(builder, value)
    positions = [_write_table(builder, item) if isinstance(item, Mapping) else item for item in value]
    builder.StartVector(4, len(positions), 4)
    for position in reversed(positions):
        if isinstance(position, float):
            builder.PrependFloat32(position)
        else:
            builder.PrependUOffsetTRelative(position)
    return int(builder.EndVector())
