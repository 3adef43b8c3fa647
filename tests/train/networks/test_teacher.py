"""Learning from finished runs: what they answer to the very pictures that are learned, never to those held out."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge.data_folder import scan
from edge.errors import DatasetError, InvalidDataError, MissingInputError, UsageError
from edge.run import TeacherRun, load_run, load_splits
from tests.train.shapes import draw_shapes
from tests.train.test_resume import RECIPE
from train.cli import train as train_command
from train.fitting.progress import Watch
from train.measuring.metrics import Evaluation
from train.recipes import load_recipe

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    pytest.mark.timeout(600),
]


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def make_surer(run: Path) -> None:
    """Its logits become three times as large."""
    import keras  # noqa: PLC0415, seconds to import

    model = keras.models.load_model(run / "model.keras", compile=False)
    model.get_layer("logits").set_weights([3 * values for values in model.get_layer("logits").get_weights()])
    model.save(run / "model.keras")


@pytest.fixture(scope="module")
def surer(trained: tuple[Path, Evaluation], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained run, with logits three times as large."""
    folder = shutil.copytree(trained[0], tmp_path_factory.mktemp("teachers") / "surer")
    make_surer(folder)
    return folder


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of a small network, which the teacher and those it teaches are trained by."""
    path = tmp_path_factory.mktemp("recipes") / "small.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def teacher(shapes: Path, recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small network, on the splits of seed 1."""
    from train.fitting.fit import train  # noqa: PLC0415, seconds to import

    folder = tmp_path_factory.mktemp("teachers") / "small"
    recipe = load_recipe(str(recipe_file), ["phases.*.epochs=1"])
    train(shapes, folder, recipe, recipe_name="small", weights="none", seed=1)
    return folder


@pytest.mark.parametrize("size_px", [64, 48])
def test_a_batch_mixes_labels_with_the_mean_answer_to_its_own_pictures(
    shapes: Path, trained: tuple[Path, Evaluation], surer: Path, size_px: int, tmp_path: Path
) -> None:
    import keras  # noqa: PLC0415, seconds to import

    from train.networks.model import build_model  # noqa: PLC0415
    from train.networks.teacher import load_teacher  # noqa: PLC0415
    from train.pictures.material import load_material  # noqa: PLC0415

    folder, _ = trained
    sizes = [f"network.train_px={size_px}", "network.input_px=64"]
    recipe = load_recipe("efficientnet-lite0", [*sizes, "fit.teacher_share=0.6", "fit.label_smoothing=0.1"])
    dataset = replace(scan(shapes), rows=load_splits(folder))
    plain = load_material(dataset, recipe, 1, tmp_path)
    taught = load_material(dataset, recipe, 1, tmp_path, teacher=load_teacher([folder, surer], dataset, recipe))
    (images, labels, _), (same, targets, _) = plain.batches(0)[0], taught.batches(0)[0]
    np.testing.assert_array_equal(images, same)
    twin = build_model(recipe, len(dataset.labels), size_px)
    twin.set_weights(keras.models.load_model(folder / "model.keras", compile=False).get_weights())
    logits = np.asarray(twin.predict_on_batch(images)["logits"])
    smooth = 0.9 * labels + 0.1 / labels.shape[1]
    np.testing.assert_allclose(targets, 0.4 * smooth + 0.6 * softmax(2 * logits), atol=1e-4)
    assert (plain.fit.label_smoothing, taught.fit.label_smoothing) == (0.1, 0.0)


def test_a_run_goes_on_with_the_same_teacher_only(
    shapes: Path, recipe_file: Path, teacher: Path, tmp_path: Path
) -> None:
    import keras  # noqa: PLC0415, seconds to import

    from train.fitting.fit import train  # noqa: PLC0415

    recipe = load_recipe(str(recipe_file))
    changing, network = shutil.copytree(teacher, tmp_path / "teacher"), (teacher / "model.keras").read_bytes()

    def run(name: str, **more: object) -> None:
        options = {"recipe_name": "small", "weights": "none", "seed": 1, "teachers": [changing], **more}
        train(shapes, tmp_path / name, recipe, **options)  # type: ignore[arg-type]

    def stop(progress: object) -> None:
        raise KeyboardInterrupt

    run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("stopped", watch=Watch(on_epoch=stop))
    make_surer(changing)
    with pytest.raises(UsageError, match="teachers, seed"):
        run("stopped", resume=True)
    (changing / "model.keras").write_bytes(network)
    run("stopped", resume=True)
    runs = [keras.models.load_model(tmp_path / name / "model.keras").get_weights() for name in ("whole", "stopped")]
    for whole, stopped in zip(*runs, strict=True):
        np.testing.assert_array_equal(whole, stopped)


def test_a_run_tells_who_taught_it(shapes: Path, recipe_file: Path, teacher: Path, tmp_path: Path) -> None:
    asked = [str(shapes), "--recipe", str(recipe_file), "--epochs", "1", "--weights", "none", "--seed", "1"]
    asked += ["--teacher", str(teacher), "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(train_command, asked)
    assert result.exception is None, result.output
    digest = hashlib.sha256((teacher / "model.keras").read_bytes()).hexdigest()
    assert load_run(tmp_path / "run").teachers == (TeacherRun(path=str(teacher.resolve()), sha256=digest),)
    assert f"--teacher {teacher}" in (tmp_path / "run" / "report.html").read_text()


def test_who_cannot_teach_is_refused_before_anything_is_written(
    shapes: Path, recipe_file: Path, teacher: Path, tmp_path: Path
) -> None:
    from train.fitting.fit import train  # noqa: PLC0415, seconds to import

    recipe = load_recipe(str(recipe_file))
    other_classes = tmp_path / "others"
    draw_shapes(other_classes, num_each=4)
    shutil.move(str(next(path for path in sorted(other_classes.iterdir()) if path.is_dir())), other_classes / "another")
    for root, asked, seed, error, said in (
        (shapes, teacher, 2, DatasetError, "pictures? held out here"),
        (shapes, tmp_path / "nothing", 1, MissingInputError, "nothing"),
        (other_classes, teacher, 1, InvalidDataError, "cannot teach here: expected a run of another"),
    ):
        with pytest.raises(error, match=said):
            train(root, tmp_path / "run", recipe, recipe_name="small", weights="none", teachers=[asked], seed=seed)
        assert not (tmp_path / "run").exists()


def test_a_damaged_teacher_is_named_and_folds_have_none(
    shapes: Path, trained: tuple[Path, Evaluation], tmp_path: Path
) -> None:
    from train.networks.teacher import load_teacher  # noqa: PLC0415, seconds to import

    damaged = tmp_path / "damaged"
    shutil.copytree(trained[0], damaged)
    (damaged / "model.keras").write_bytes((damaged / "model.keras").read_bytes()[:5000])
    dataset = replace(scan(shapes), rows=load_splits(trained[0]))
    with pytest.raises(InvalidDataError, match=r"damaged cannot teach pictures of 64 px, or is damaged"):
        load_teacher([damaged], dataset, load_recipe("efficientnet-lite0", ["network.train_px=64"]))
    result = CliRunner().invoke(train_command, [str(shapes), "--folds", "3", "--teacher", str(trained[0])])
    assert (result.exit_code, "beside --folds" in result.output) == (2, True)
