from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner, Result

from convert.cli import convert
from edge.bundle import Bundle, load_bundle
from edge.classifiers.litert import LiteRTClassifier, load_interpreter
from edge.cli import INTERRUPTED, TERMINATED
from edge.errors import CheckFailedError, MissingInputError, StorageError, UsageError
from edge.preprocess import load_picture
from edge.run import MODEL_FILE


def call(*arguments: object) -> Result:
    return CliRunner().invoke(convert, [str(argument) for argument in arguments])


def test_it_reports_in_text(finished_run: Path, tmp_path: Path) -> None:
    result = call(finished_run, "--out", tmp_path / "bundle")

    assert result.exit_code == 0, result.output
    assert "this bundle: accuracy" in result.stdout
    assert result.stdout.splitlines()[-1].startswith(f"{tmp_path}/bundle: shapes-stripes-three-convolutions@")


def test_it_reports_as_json(finished_run: Path, int8_bundle: Bundle, tmp_path: Path) -> None:
    result = call(finished_run, "--out", tmp_path / "bundle", "--json")
    report = json.loads(result.stdout)

    assert report["bundle"]["id"] == int8_bundle.bundle_id == load_bundle(tmp_path / "bundle").bundle_id
    assert report["losses"] == []
    assert [parity["candidate"] for parity in report["parity"]] == ["float32 TFLite", "this bundle"]
    assert report["metrics"]["num_pictures"] == 60


def test_a_conversion_that_changes_too_much_is_refused(run_copy: Path, tmp_path: Path) -> None:
    _make_fragile(run_copy / MODEL_FILE)
    out = tmp_path / "bundle"
    result = call(run_copy, "--out", out)

    assert isinstance(result.exception, CheckFailedError)
    assert "no bundle written: accuracy fell by" in str(result.exception)
    assert "changed: " in result.stdout
    assert not out.exists()


def test_a_refusal_names_the_layer_that_hurts(run_copy: Path, tmp_path: Path) -> None:
    _make_one_layer_fragile(run_copy / MODEL_FILE)
    refused = call(run_copy, "--out", tmp_path / "bundle")

    assert isinstance(refused.exception, CheckFailedError)
    assert "in int8 these layers hurt most: conv2d_1 (" in str(refused.exception)
    assert "Keep them out of int8 with --rescue" in str(refused.exception)


@pytest.mark.parametrize("wide", ["float", "int16"])
def test_a_rescue_keeps_the_layer_that_hurts_out_of_int8_and_so_does_the_plain_classifier(
    run_copy: Path, tmp_path: Path, wide: str
) -> None:
    _make_one_layer_fragile(run_copy / MODEL_FILE)
    plain = tmp_path / "plain.tflite"
    wished = ("--rescue", "--rescue-in", wide, "--single-output", plain)
    rescued = call(run_copy, "--out", tmp_path / "bundle", *wished, "--json")

    assert rescued.exit_code == 0, rescued.output
    report = json.loads(rescued.stdout)
    assert report["losses"] == []
    assert report["rescued_in"] == wide
    assert {"conv2d_1", "conv2d_2"} <= set(report["rescued_layers"])  # the layer, and what takes its values
    assert f"**Kept in {wide}, since int8 cost too much there:** conv2d_1" in (tmp_path / "bundle/card.md").read_text()
    _assert_same_scores(plain, load_bundle(tmp_path / "bundle"))


def test_an_accepted_loss_stands_on_the_card(run_copy: Path, tmp_path: Path) -> None:
    _make_fragile(run_copy / MODEL_FILE)
    result = call(run_copy, "--out", tmp_path / "bundle", "--accept-loss")

    assert result.exit_code == 0, result.output
    assert "**Converted with --accept-loss:** accuracy fell by" in (tmp_path / "bundle" / "card.md").read_text()


def test_a_plain_classifier_gives_the_scores_of_the_bundle(
    finished_run: Path, int8_bundle: Bundle, tmp_path: Path
) -> None:
    plain = tmp_path / "plain.tflite"
    result = call(finished_run, "--out", tmp_path / "bundle", "--single-output", plain)

    assert result.exit_code == 0, result.output
    _assert_same_scores(plain, int8_bundle)


def _assert_same_scores(plain: Path, bundle: Bundle) -> None:
    interpreter, classifier = load_interpreter(plain, 1), LiteRTClassifier(bundle)
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (taken["dtype"], given["dtype"]) == (np.uint8, np.uint8)
    for golden in bundle.manifest.golden:
        picture = load_picture(bundle.path / golden.picture)
        interpreter.set_tensor(taken["index"], picture[None])
        interpreter.invoke()
        scores = interpreter.get_tensor(given["index"])[0] / 256
        # Half a step of the logits, and one of the scores: what the second quantization may cost.
        assert scores == pytest.approx(classifier.classify(picture).scores, abs=0.05)


def test_a_missing_run_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    result = call(tmp_path / "nowhere", "--out", tmp_path / "bundle")

    assert isinstance(result.exception, MissingInputError)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_bundle_is_refused_before_the_work_begins(int8_bundle: Bundle, tmp_path: Path) -> None:
    result = call(tmp_path / "not even a run", "--out", int8_bundle.path)

    assert isinstance(result.exception, UsageError)
    assert load_bundle(int8_bundle.path).bundle_id == int8_bundle.bundle_id


def test_a_place_for_other_tools_that_is_none_is_refused_before_the_work_begins(tmp_path: Path) -> None:
    result = call("not even a run", "--out", tmp_path / "bundle", "--single-output", tmp_path / "nowhere" / "x.tflite")

    assert isinstance(result.exception, StorageError)
    assert str(result.exception) == f"{tmp_path / 'nowhere'} is not a directory: make it first"


def test_a_name_that_no_bundle_can_have_is_refused_before_any_work(tmp_path: Path) -> None:
    result = call("no run", "--out", tmp_path / "bundle", "--name", "Größe 1")

    assert isinstance(result.exception, UsageError)
    assert str(result.exception).endswith("such as grosse-1")


@pytest.mark.parametrize(
    ("arguments", "strays"),
    [
        (["--from", "model.tflite", "--rescue", "--single-output", "plain.tflite"], "--rescue, --single-output"),
        (["--from", "model.tflite", "--precision", "float16"], "--precision"),
        (["run", "--labels", "labels.txt", "--mean", "0"], "--labels, --mean"),
        (["run", "--compiler", "edgetpu_compiler"], "--compiler"),
    ],
)
def test_options_that_would_be_ignored_are_refused(tmp_path: Path, arguments: list[str], strays: str) -> None:
    result = call(*arguments, "--out", tmp_path / "bundle")

    assert isinstance(result.exception, UsageError)
    assert str(result.exception).startswith(f"leave out {strays}: ")


def test_a_conversion_says_nothing_of_its_runtime(finished_run: Path, tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "edge", "convert", str(finished_run), "--out", str(tmp_path / "bundle")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_killed_conversion_leaves_nothing(finished_run: Path, tmp_path: Path, number: signal.Signals) -> None:
    scratch, out = tmp_path / "scratch", tmp_path / "out"
    scratch.mkdir()
    out.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", "convert", str(finished_run), "--out", str(out / "bundle"), "-v"],
        # TensorFlow compiles functions that it generates there, and would leave their byte code behind.
        env={**os.environ, "TMPDIR": str(scratch), "PYTHONDONTWRITEBYTECODE": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "converted to float32" in line:  # half way: the int8 model is next
            process.send_signal(number)
            break
    process.communicate(timeout=60)

    assert process.returncode == {signal.SIGTERM: TERMINATED, signal.SIGINT: INTERRUPTED}[number]
    assert list(out.iterdir()) == []
    assert list(scratch.iterdir()) == []


def _make_fragile(path: Path) -> None:
    """Lift all logits alike: nothing for floats, but int8 must then cover 0..10000 in 256 steps."""
    model = keras.models.load_model(path, compile=False)
    head = model.get_layer("logits")
    kernel, bias = head.get_weights()
    head.set_weights([kernel, bias + 10_000.0])
    model.save(path)


def _make_one_layer_fragile(path: Path) -> None:
    """Give one filter's output a size that only float can hold beside the others': they share one int8 scale.

    The next layer takes the filter for nothing, so that the network answers as before.
    """
    model = keras.models.load_model(path, compile=False)
    _, second, third = (layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    activations = [layer for layer in model.layers if isinstance(layer, keras.layers.ReLU)]
    activations[1].max_value = None
    kernel, bias = second.get_weights()
    bias[0] = 10_000.0
    second.set_weights([kernel, bias])
    kernel, bias = third.get_weights()
    kernel[:, :, 0] = 0.0
    third.set_weights([kernel, bias])
    model.save(path)
