from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from convert.bundle.writer import digests, write_bundle
from convert.proof.golden import encode_png, golden_pictures
from edge.bundle import Bundle
from edge.commands.model import model
from edge.errors import BundleError, CheckFailedError, MissingInputError
from edge.preprocess import InputSpec, load_picture


def rewritten(bundle: Bundle, out: Path, changes: Mapping[str, object], **files: bytes) -> Bundle:
    """The bundle again with another manifest, whole and with right digests."""
    contents = {name: (bundle.path / name).read_bytes() for name in bundle.manifest.files}
    contents |= {name.replace("__", "/") + ".png": content for name, content in files.items()}
    manifest = bundle.manifest.model_copy(update={**changes, "files": digests(contents)})
    return write_bundle(out, manifest, contents, should_replace=False)


def test_golden_pictures_have_the_inputs_size_and_survive_their_file(tmp_path: Path) -> None:
    pictures = golden_pictures(InputSpec(48, 96))

    for name, picture in pictures.items():
        (tmp_path / name).write_bytes(encode_png(picture))
        assert picture.shape == (48, 96, 3)
        assert np.array_equal(load_picture(tmp_path / name), picture)


def test_golden_pictures_are_the_same_every_time_and_unlike_each_other() -> None:
    first, second = golden_pictures(InputSpec(64, 64)), golden_pictures(InputSpec(64, 64))

    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert len({picture.tobytes() for picture in first.values()}) == len(first) == 4


def test_a_new_bundle_passes_on_the_machine_that_made_it(int8_bundle: Bundle) -> None:
    result = CliRunner().invoke(model, ["verify", str(int8_bundle.path)])

    assert result.exit_code == 0, result.output
    assert result.stdout.count("pass, exact") == 4


def test_a_model_that_answers_differently_fails(int8_bundle: Bundle, tmp_path: Path) -> None:
    first, *others = int8_bundle.manifest.golden
    expected = first.model_copy(update={"logits": first.logits[::-1], "scores": ()})
    other = rewritten(int8_bundle, tmp_path / "other", {"golden": (expected, *others)})
    result = CliRunner().invoke(model, ["verify", str(other.path), "--json"])

    assert isinstance(result.exception, CheckFailedError)
    assert "answers differently on this machine: golden/can.png" in str(result.exception)
    assert [check["passed"] for check in json.loads(result.stdout)["golden"]] == [False, True, True, True]


def test_another_temperature_is_another_answer(int8_bundle: Bundle, tmp_path: Path) -> None:
    other = rewritten(int8_bundle, tmp_path / "other", {"temperature": 20.0})
    result = CliRunner().invoke(model, ["verify", str(other.path)])

    assert isinstance(result.exception, CheckFailedError)
    assert "scores differ by" in result.stdout


def test_a_bundle_without_golden_pictures_cannot_be_verified(int8_bundle: Bundle, tmp_path: Path) -> None:
    other = rewritten(int8_bundle, tmp_path / "other", {"golden": ()})
    result = CliRunner().invoke(model, ["verify", str(other.path)])

    assert isinstance(result.exception, BundleError)
    assert "no golden pictures" in str(result.exception)


def test_a_golden_picture_of_another_size_is_an_error(int8_bundle: Bundle, tmp_path: Path) -> None:
    large = encode_png(golden_pictures(InputSpec(64, 64))["can"])
    other = rewritten(int8_bundle, tmp_path / "other", {}, golden__can=large)
    result = CliRunner().invoke(model, ["verify", str(other.path)])

    assert isinstance(result.exception, BundleError)
    assert "golden/can.png has (height, width) (64, 64), but the model takes (32, 32)" in str(result.exception)


def test_bundles_are_listed_and_a_damaged_one_is_named(int8_bundle: Bundle, tmp_path: Path) -> None:
    rewritten(int8_bundle, tmp_path / "a", {"name": "first"})
    damaged = rewritten(int8_bundle, tmp_path / "b", {"name": "second"})
    (damaged.path / "card.md").write_text("changed")
    (tmp_path / "not a bundle").mkdir()
    result = CliRunner().invoke(model, ["list", str(tmp_path), "--json"])

    assert result.exit_code == 65
    assert [json.loads(line)["name"] for line in result.stdout.splitlines()] == ["first"]
    assert "card.md is damaged" in result.stderr


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(model, ["list", str(tmp_path / "nowhere")])

    assert isinstance(result.exception, MissingInputError)
