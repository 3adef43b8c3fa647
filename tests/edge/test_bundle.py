"""A bundle is taken only when every byte is the one its manifest promises."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import MANIFEST, MODEL, load_bundle
from edge.errors import BundleError, MissingInputError


def written(folder: Path, **changes: Any) -> Path:
    """A bundle whose model is any bytes: loading a bundle checks digests, not networks."""
    (folder / "golden").mkdir()
    contents = {MODEL: b"weights", "card.md": b"# A model", "golden/one.png": b"picture"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    manifest = {
        "schema": 1,
        "name": "test-model",
        "labels": ["can", "paper"],
        "precision": "int8",
        "input": {"height_px": 32, "width_px": 32},
        "outputs": {"logits": 0, "embedding": 1, "embedding_size": 8},
        "temperature": 1.0,
        "golden": [{"picture": "golden/one.png", "logits": [1.0, 2.0]}],
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        **changes,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def test_the_id_is_the_digest_of_the_manifest(tmp_path: Path) -> None:
    bundle = load_bundle(written(tmp_path))
    assert bundle.bundle_id == hashlib.sha256((tmp_path / MANIFEST).read_bytes()).hexdigest()
    assert bundle.short_name == f"test-model@{bundle.bundle_id[:8]}"


@pytest.mark.parametrize("name", [MODEL, "card.md", "golden/one.png"])
def test_one_changed_byte_in_any_file_is_refused(tmp_path: Path, name: str) -> None:
    path = written(tmp_path) / name
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match="is damaged"):
        load_bundle(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    (written(tmp_path) / "card.md").unlink()
    with pytest.raises(BundleError, match=r"lacks card\.md"):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"schema": 2}, "schema 2 is not known, expected 1"),
        ({"labels": ["can", "can"]}, "labels must differ"),
        ({"labels": ["can"]}, "labels"),
        ({"labels": ["can", "CD/DVD"]}, "labels.1: 'CD/DVD' cannot be the name of a class"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": 1e-300}, "temperature: Input should be greater than or equal to 0.01"),
        ({"temperature": float("nan")}, "temperature"),
        ({"metrics": {"accuracy": float("inf")}}, "metrics.accuracy: Input should be a finite number"),
        ({"golden": [{"picture": "golden/one.png", "logits": [1.0, float("nan")]}]}, "golden.0.logits.1"),
        ({"golden": [{"picture": "golden/one.png", "logits": [1.0, 2.0], "scores": [1.0]}]}, "one score for each"),
        ({"files": {}}, "no digest of"),
        ({"golden": [{"picture": "golden/one.png", "logits": [1.0]}]}, "one logit for each label"),
        ({"files": {"../secret": "0" * 64}}, "must be a plain path inside the bundle"),
    ],
)
def test_a_manifest_that_breaks_a_rule_is_refused(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BundleError) as refusal:
        load_bundle(written(tmp_path, **changes))
    assert complaint in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]"])
def test_a_manifest_that_is_not_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (written(tmp_path) / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError):
        load_bundle(tmp_path)


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no bundle at"):
        load_bundle(tmp_path)


def test_a_bare_model_is_no_bundle_and_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").touch()
    with pytest.raises(MissingInputError, match=r"no bundle at .*; `sorter convert --from .*model.tflite` makes one"):
        load_bundle(tmp_path / "model.tflite")
