from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from convert.tflite.metadata import Described, with_metadata
from edge.bundle import Bundle

DESCRIBED = Described("bins", "a test", "0123abcd", ("disc", "square", "stripes"), ("embedding", "logits"), "logits")


@pytest.fixture
def bare_model(int8_bundle: Bundle) -> bytes:
    """The model as a flatbuffer only, without what was appended."""
    return int8_bundle.model_path.read_bytes()


def metadata_of(model: bytes, name: bytes = b"TFLITE_METADATA") -> list[bytes]:
    root = schema.ModelT.InitFromPackedBuf(model)
    return [bytes(root.buffers[entry.buffer].data) for entry in root.metadata if entry.name == name]


def test_the_labels_are_a_file_inside_the_model(int8_bundle: Bundle) -> None:
    with zipfile.ZipFile(int8_bundle.model_path) as archive:
        assert archive.read("labels.txt").decode().splitlines() == ["disc", "square", "stripes"]


def test_the_model_carries_one_metadata_flatbuffer_that_names_it(int8_bundle: Bundle) -> None:
    (metadata,) = metadata_of(int8_bundle.model_path.read_bytes())

    assert metadata[4:8] == b"M001"
    assert int8_bundle.manifest.name.encode() in metadata
    assert b"labels.txt" in metadata


def test_the_converters_own_metadata_stays(int8_bundle: Bundle) -> None:
    (version,) = metadata_of(int8_bundle.model_path.read_bytes(), b"min_runtime_version")

    assert version.rstrip(b"\0").count(b".") == 2


def test_metadata_change_no_answer(bare_model: bytes) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)

    assert answers(with_metadata(bare_model, DESCRIBED), image) == answers(bare_model, image)


def test_weights_keep_the_alignment_of_the_schema(bare_model: bytes) -> None:
    root = schema.Model.GetRootAsModel(with_metadata(bare_model, DESCRIBED), 0)
    start = np.frombuffer(root._tab.Bytes, np.uint8).ctypes.data
    contents = [root.Buffers(index).DataAsNumpy() for index in range(root.BuffersLength())]
    offsets = [content.ctypes.data - start for content in contents if isinstance(content, np.ndarray)]

    assert len(offsets) > 8
    assert all(offset % 16 == 0 for offset in offsets)


def test_the_same_metadata_give_the_same_bytes(bare_model: bytes) -> None:
    assert with_metadata(bare_model, DESCRIBED) == with_metadata(bare_model, DESCRIBED)


def test_a_model_with_metadata_is_still_an_archive_and_a_model(bare_model: bytes, tmp_path: Path) -> None:
    model = with_metadata(bare_model, DESCRIBED)

    assert model[4:8] == b"TFL3"
    assert zipfile.is_zipfile(io.BytesIO(model))


def answers(model: bytes, image: np.ndarray) -> list[list[int]]:
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return [interpreter.get_tensor(details["index"]).tolist() for details in interpreter.get_output_details()]
