"""Learning from finished runs: what they answer to the very pictures that are learned, never to those held out."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge.data_folder import scan
from edge.errors import DatasetError, InvalidDataError, MissingInputError
from edge.run import TRAIN_SPLIT, load_run, load_splits
from tests.train.shapes import draw_shapes
from tests.train.test_resume import RECIPE
from train.cli import train as train_command
from train.metrics import Evaluation
from train.recipes import load_recipe
from train.splits import with_splits

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    pytest.mark.timeout(600),
]

# The splits of the run that teaches.
MATCHING = ("--set", "data.val_share=0.25", "--set", "data.split=grouped")


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("size_px", [64, 48])
def test_a_batch_says_what_the_teacher_answers_to_its_own_pictures(
    shapes: Path, trained: tuple[Path, Evaluation], size_px: int
) -> None:
    import keras  # noqa: PLC0415, seconds to import

    from train.material import load_material  # noqa: PLC0415
    from train.teacher import load_teacher  # noqa: PLC0415

    folder, _ = trained
    recipe = load_recipe("efficientnet-lite0", [f"network.train_px={size_px}", "network.input_px=64"])
    dataset = with_splits(scan(shapes), recipe.data, seed=1)
    dataset = replace(dataset, rows=load_splits(folder))
    plain = load_material(dataset, recipe, 1).batches(0)
    taught = load_material(dataset, recipe, 1, teacher=load_teacher([folder], dataset, 0.6)).batches(0)
    (images, labels, _), (same, targets, _) = plain[0], taught[0]
    np.testing.assert_array_equal(images, same)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-5)
    if size_px == 64:
        logits = keras.models.load_model(folder / "model.keras", compile=False).predict_on_batch(images)["logits"]
        np.testing.assert_allclose(targets, 0.4 * labels + 0.6 * softmax(np.asarray(logits)), atol=1e-5)


def test_of_several_teachers_the_mean_logits_count(shapes: Path, trained: tuple[Path, Evaluation]) -> None:
    from train.teacher import Teacher, load_teacher  # noqa: PLC0415

    folder, _ = trained
    dataset = replace(scan(shapes), rows=load_splits(folder))
    images = np.random.default_rng(0).uniform(0, 255, (3, 64, 64, 3)).astype(np.float32)
    labels = np.eye(len(dataset.labels), dtype=np.float32)[:3]
    once, twice = (load_teacher([folder] * number, dataset, 1.0) for number in (1, 2))
    assert isinstance(once, Teacher)
    assert isinstance(twice, Teacher)
    np.testing.assert_allclose(once.targets(images, labels), twice.targets(images, labels), atol=1e-6)
    assert load_teacher([], dataset, 1.0) is None


def test_a_run_tells_who_taught_it(shapes: Path, trained: tuple[Path, Evaluation], tmp_path: Path) -> None:
    folder, _ = trained
    (tmp_path / "small.toml").write_text(RECIPE)
    asked = [str(shapes), "--recipe", str(tmp_path / "small.toml"), "--epochs", "1", "--weights", "none", "--seed", "1"]
    asked += [*MATCHING, "--teacher", str(folder), "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(train_command, asked)
    assert result.exception is None, result.output
    assert load_run(tmp_path / "run").teachers == (str(folder),)
    assert f"--teacher {folder}" in (tmp_path / "run" / "report.html").read_text()


def test_who_cannot_teach_is_refused_before_anything_is_written(
    shapes: Path, trained: tuple[Path, Evaluation], tmp_path: Path
) -> None:
    from train.fit import train  # noqa: PLC0415, seconds to import

    folder, _ = trained
    (tmp_path / "small.toml").write_text(RECIPE)
    recipe = load_recipe(str(tmp_path / "small.toml"), MATCHING[1::2])
    other_classes = tmp_path / "others"
    draw_shapes(other_classes, num_each=4)
    shutil.move(str(next(path for path in sorted(other_classes.iterdir()) if path.is_dir())), other_classes / "another")
    for root, teacher, seed, error, said in (
        (shapes, folder, 2, DatasetError, "pictures that are held out here"),
        (shapes, tmp_path / "nothing", 1, MissingInputError, "nothing"),
        (other_classes, folder, 1, InvalidDataError, "cannot teach here: expected a run of another"),
    ):
        with pytest.raises(error, match=said):
            train(root, tmp_path / "run", recipe, recipe_name="small", weights="none", teachers=[teacher], seed=seed)
        assert not (tmp_path / "run").exists()
    assert any(row.split == TRAIN_SPLIT for row in load_splits(folder))
