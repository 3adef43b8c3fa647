from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from calibration.cli import calibrate
from edge.bundle import Input, Manifest, Outputs
from edge.errors import ConfigError, DatasetError, MissingInputError, StorageError
from train.cli import COMMANDS, audit, evaluate, train
from train.recipes import recipe_names

SIDE_PX = 32


@pytest.fixture(scope="module")
def color_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle of the smallest network that knows the drawn shapes: red, blue or neither, by the mean color."""
    import tensorflow as tf  # noqa: PLC0415, seconds to import

    colors = tf.constant([[0.2, -0.2, 0.0], [0.0, 0.0, 0.0], [-0.2, 0.2, 0.0]])

    @tf.function(input_signature=[tf.TensorSpec((1, SIDE_PX, SIDE_PX, 3), tf.uint8)])
    def logits(image: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.cast(image, tf.float32), axis=(1, 2)) @ colors + tf.constant([0.0, 0.0, 1.0])

    converter = tf.lite.TFLiteConverter.from_concrete_functions([logits.get_concrete_function()])
    folder = tmp_path_factory.mktemp("bundles") / "color"
    folder.mkdir()
    content = converter.convert()
    (folder / "model.tflite").write_bytes(content)
    manifest = Manifest(
        schema=1,
        name="color",
        labels=("disc", "square", "stripes"),
        precision="float32",
        input=Input(height_px=SIDE_PX, width_px=SIDE_PX),
        outputs=Outputs(logits=0),
        temperature=1.0,
        files={"model.tflite": hashlib.sha256(content).hexdigest()},
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(by_alias=True))
    return folder


def run(*arguments: object) -> Result:
    command, *rest = arguments
    commands = {one.name: one for one in COMMANDS}
    return CliRunner().invoke(commands[str(command)], [str(item) for item in rest])


def test_the_room_offers_its_commands() -> None:
    assert [command.name for command in COMMANDS] == ["train", "average", "evaluate", "report", "compare", "data"]


def test_train_lists_its_recipes() -> None:
    listed = run("train", "--list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == list(recipe_names())


def test_train_without_data_says_what_it_needs() -> None:
    assert "missing DATA" in run("train").stderr


# An average of what is no run ends after TensorFlow was loaded; then a function is traced for each number.
RETRACING = """
import sys
from edge.errors import MissingInputError
from train.cli import average
try:
    average.main([*sys.argv[1:], "nowhere", "neither", "--out", "mean"], standalone_mode=False)
except MissingInputError:
    import tensorflow as tf
    double = tf.function(lambda number: 2 * number)
    for number in range(8):
        double(number)
"""


def traced(*options: str) -> str:
    """What is written to stderr."""
    return subprocess.run(
        [sys.executable, "-c", RETRACING, *options], capture_output=True, text=True, check=True
    ).stderr


def test_tensorflow_speaks_of_its_tracing_only_where_all_is_to_be_said() -> None:
    assert traced() == ""
    assert "retracing" in traced("-vv")


def test_evaluate_prints_the_documented_json_and_nothing_else_on_stdout(color_bundle: Path, shapes: Path) -> None:
    result = run("evaluate", shapes, "--bundle", color_bundle, "--json")
    assert result.exception is None
    answer = json.loads(result.stdout)
    assert (answer["num_images"], answer["accuracy"]) == (48, 1.0)
    assert answer["model"].startswith("color@")


def test_at_a_site_every_condition_is_of_the_item_that_is_found_there(color_bundle: Path, tmp_path: Path) -> None:
    ground = np.random.default_rng(0).normal((180, 175, 170), 2, (240, 320, 3)).clip(0, 255).astype(np.uint8)  # BGR
    for name in ("empty", "scenes/disc"):
        (tmp_path / name).mkdir(parents=True)
    for number in range(12):
        cv2.imwrite(str(tmp_path / "empty" / f"{number:02}.png"), ground)
    # So small a disc that the picture as a whole is none.
    scene = cv2.circle(ground.copy(), (150, 110), 22, (40, 40, 220), -1)
    cv2.imwrite(str(tmp_path / "scenes" / "disc" / "0.png"), scene)
    options = ["--images", tmp_path / "empty", "--site", tmp_path / "site", "--bundle", color_bundle, "--yes"]
    learned = CliRunner().invoke(calibrate, ["background", *(str(option) for option in options)])
    assert learned.exit_code == 0, learned.output
    arguments = ("evaluate", tmp_path / "scenes", "--bundle", color_bundle, "--robustness", "--json")
    whole, found = (json.loads(run(*arguments, *site).stdout) for site in ([], ["--site", tmp_path / "site"]))
    assert whole["accuracy"] == whole["robustness"]["as it is"] == 0
    assert found["accuracy"] == found["robustness"]["as it is"] == 1


def test_evaluate_says_which_pictures_it_used(color_bundle: Path, shapes: Path) -> None:
    result = run("evaluate", shapes, "--bundle", color_bundle)
    assert "48 pictures, all of them" in result.stderr
    assert "accuracy 100.00% (95 % interval 92.6% to 100.0%)" in result.stdout
    assert [line.split()[0] for line in result.stdout.splitlines()[-3:]] == ["disc", "square", "stripes"]


def test_quiet_says_nothing_but_the_answer(color_bundle: Path, shapes: Path) -> None:
    assert run("evaluate", shapes, "--bundle", color_bundle, "-q").stderr == ""


def test_a_missing_bundle_and_a_missing_folder_are_named(color_bundle: Path, shapes: Path, tmp_path: Path) -> None:
    assert isinstance(run("evaluate", shapes, "--bundle", tmp_path / "none").exception, MissingInputError)
    assert isinstance(run("evaluate", tmp_path / "none", "--bundle", color_bundle).exception, MissingInputError)


def test_train_refuses_a_wrong_setting_before_it_reads_pictures(tmp_path: Path) -> None:
    result = CliRunner().invoke(train, [str(tmp_path / "none"), "--set", "fit.epoch=3"])
    assert isinstance(result.exception, ConfigError)


def test_train_on_an_empty_folder_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    result = CliRunner().invoke(train, [str(tmp_path / "data"), "--out", str(tmp_path / "run")])
    assert isinstance(result.exception, DatasetError)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arguments", [["--epochs", "0"], ["--batch-size", "x"], ["--seed", "-1"]])
def test_numbers_out_of_range_are_usage_errors(tmp_path: Path, arguments: list[str]) -> None:
    assert CliRunner().invoke(train, [str(tmp_path), *arguments]).exit_code == 2


def test_a_split_by_another_name_is_a_usage_error(shapes: Path) -> None:
    assert CliRunner().invoke(evaluate, [str(shapes), "--split", "tset"]).exit_code == 2


def test_what_an_audit_found_is_told_where_its_page_cannot_be_written(shapes: Path, tmp_path: Path) -> None:
    """To look through thousands of pictures takes minutes."""
    (tmp_path / "audit.html").mkdir()
    result = CliRunner().invoke(audit, [str(shapes), "--report", str(tmp_path / "audit.html"), "--json"])
    assert isinstance(result.exception, StorageError)
    assert json.loads(result.stdout)
