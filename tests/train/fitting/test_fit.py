from __future__ import annotations

import csv
import json
from hashlib import sha256
from pathlib import Path

import keras
import numpy as np
import pytest

from edge.data_folder import Dataset, scan
from edge.errors import ConfigError, DatasetError, MissingInputError, OutOfMemoryError, StorageError, UsageError
from edge.run import load_run, load_splits
from tests.train.shapes import LABELS, draw_shapes
from train.fitting.fit import Start, train
from train.fitting.phases import predict
from train.measuring.metrics import Evaluation
from train.pictures.batches import read_inputs
from train.pictures.material import class_weights
from train.recipes import Data, Recipe, load_recipe

# Keras 3.15 saves its variables by a NumPy 1 protocol: https://numpy.org/doc/2.0/numpy_2_0_migration_guide.html
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

Trained = tuple[Path, Evaluation]


def test_two_epochs_from_imagenet_tell_three_shapes_apart(trained: Trained) -> None:
    _, evaluation = trained
    assert evaluation.num_images == 12
    # Chance is a third; the head alone gets all twelve, and one slip may come from another machine's rounding.
    assert evaluation.accuracy >= 11 / 12


def test_the_run_directory_is_complete_and_holds_nothing_else(trained: Trained) -> None:
    out, _ = trained
    names = ["history.csv", "metrics.json", "model.keras", "predictions.csv", "run.json", "splits.csv"]
    assert sorted(path.name for path in out.iterdir()) == names


def test_the_run_says_how_to_do_it_again(trained: Trained, shapes: Path, small_recipe: Recipe) -> None:
    run = load_run(trained[0])
    assert run.labels == LABELS
    assert (run.input.height_px, run.input.width_px, run.seed, run.weights) == (64, 64, 1, "imagenet")
    assert Recipe.model_validate(run.settings) == small_recipe
    assert Path(run.data.root) == shapes
    assert {"keras", "numpy"} <= set(run.versions)
    assert run.cost is not None
    assert run.cost.num_multiply_adds > 0


def test_the_saved_model_gives_the_recorded_metrics(trained: Trained, shapes: Path) -> None:
    out, evaluation = trained
    rows = [row for row in load_splits(out) if row.split == "val"]
    model, run = keras.models.load_model(out / "model.keras"), load_run(out)
    inputs = list(read_inputs(scan(shapes), rows, run.input.spec()))
    right = predict(model, inputs).argmax(axis=1) == [run.labels.index(row.label) for row in rows]
    recorded = json.loads((out / "metrics.json").read_text())
    assert recorded["accuracy"] == evaluation.accuracy == right.mean() == run.metrics["accuracy"]


def test_the_model_has_the_outputs_that_conversion_reads(trained: Trained) -> None:
    model = keras.models.load_model(trained[0] / "model.keras")
    outputs = model.predict_on_batch(np.zeros((2, 64, 64, 3), np.float32))
    assert {name: value.shape for name, value in outputs.items()} == {"logits": (2, 3), "embedding": (2, 1280)}


def test_the_curves_have_a_line_an_epoch(trained: Trained) -> None:
    with (trained[0] / "history.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["epoch"] for line in lines] == ["1", "2"]
    assert float(lines[1]["loss"]) < float(lines[0]["loss"])


def test_a_finished_run_is_never_overwritten(trained: Trained, shapes: Path, small_recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="already holds a run"):
        train(shapes, trained[0], small_recipe, recipe_name="again")
    with pytest.raises(UsageError, match=r"it is finished: `sorter report .*` writes its report"):
        train(shapes, trained[0], small_recipe, recipe_name="again", resume=True)


def test_nothing_is_written_for_data_that_cannot_be_trained_on(tmp_path: Path, small_recipe: Recipe) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(DatasetError):
        train(tmp_path / "data", tmp_path / "run", small_recipe, recipe_name="x")
    assert not (tmp_path / "run").exists()


def test_a_layer_that_there_is_not_is_said_before_the_pictures_are_looked_at(
    tmp_path: Path, small_recipe: Recipe
) -> None:
    draw_shapes(tmp_path / "data", num_each=1)
    for path in (tmp_path / "data").glob("*/*.png"):
        path.write_bytes(b"damaged, as looking would find")
    (phase,) = small_recipe.phases
    recipe = small_recipe.model_copy(update={"phases": (phase.model_copy(update={"trainable": "from nowhere"}),)})
    with pytest.raises(ConfigError, match="no layer begins with 'nowhere'"):
        train(tmp_path / "data", tmp_path / "out", recipe, recipe_name="lite0", weights="none")


@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning")
def test_a_loss_that_is_no_number_ends_the_training_in_words(tmp_path: Path, shapes: Path) -> None:
    """It went on through all epochs, and its network was kept as one that had been trained."""
    wild = ["phases.*.learning_rate=1e30", "network.train_px=32", "network.input_px=32"]
    with pytest.raises(ConfigError, match=r"a rate below 1e\+30 \(--set phases\.0\.learning_rate"):
        train(shapes, tmp_path / "run", load_recipe("cnn", wild), recipe_name="cnn", weights="none")
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_network_that_memory_does_not_hold_says_what_to_make_smaller(tmp_path: Path, shapes: Path) -> None:
    beyond_any = ["network.hidden=100000000000", "network.train_px=32", "network.input_px=32"]  # 200 TB of weights
    with pytest.raises(OutOfMemoryError, match="--batch-size"):
        train(shapes, tmp_path / "run", load_recipe("cnn", beyond_any), recipe_name="cnn", weights="none")


def test_missing_weights_are_named_before_anything_is_written(
    tmp_path: Path, shapes: Path, small_recipe: Recipe
) -> None:
    with pytest.raises(MissingInputError, match=r"no weights at .*none\.pth"):
        train(shapes, tmp_path / "run", small_recipe, recipe_name="x", weights=str(tmp_path / "none.pth"))
    assert not (tmp_path / "run").exists()


def test_a_run_directory_that_cannot_be_made_is_a_storage_error(
    tmp_path: Path, shapes: Path, small_recipe: Recipe
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"the run directory .* cannot be written"):
        train(shapes, tmp_path / "file" / "run", small_recipe, recipe_name="x")


def test_weights_that_have_seen_what_is_held_out_are_warned_of(
    trained: Trained, shapes: Path, tmp_path: Path, small_recipe: Recipe, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    for seed in (1, 2):
        with pytest.raises(StorageError):
            train(
                shapes,
                tmp_path / "file" / "run",
                small_recipe,
                recipe_name="x",
                weights=str(trained[0] / "model.keras"),
                seed=seed,
            )
        assert ("the figures of this run will be too high" in caplog.text) == (seed == 2)


def test_weights_from_a_file_are_recorded_by_what_is_in_it(tmp_path: Path, small_recipe: Recipe) -> None:
    file, data = tmp_path / "first.keras", Dataset(tmp_path, ("a", "b"), ())
    file.write_bytes(b"some weights")
    start = Start.of(str(file), 1, None, ())
    origin = start.origin(small_recipe, "x", 0.0)
    assert (origin.weights, origin.weights_sha256) == (str(file), sha256(b"some weights").hexdigest())
    file.write_bytes(b"other weights")
    assert Start.of(str(file), 1, None, ()).key(small_recipe, data) != start.key(small_recipe, data)
    assert Start.of("imagenet", 1, None, ()).origin(small_recipe, "x", 0.0).weights_sha256 is None


def test_the_same_seed_gives_the_same_weights(
    trained: Trained, shapes: Path, tmp_path: Path, small_recipe: Recipe
) -> None:
    train(shapes, tmp_path / "again", small_recipe, recipe_name="again", seed=1)
    folders = (trained[0], tmp_path / "again")
    first, again = (keras.models.load_model(folder / "model.keras").get_weights() for folder in folders)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("none", (1, 1)), ("balanced", (2 / 3, 2)), ("sqrt", (0.845, 1.464))],  # n / (k n_j) for 6 and 2 of 8 pictures
)
def test_class_weights_favor_the_rare_and_average_one(kind: str, expected: tuple[float, float]) -> None:
    labels = np.array([0] * 6 + [1] * 2)
    settings: Data = load_recipe("efficientnet-lite0", [f"data.class_weights={kind}"]).data
    weights = class_weights(labels, settings)
    assert weights == pytest.approx(expected, abs=1e-3)
    assert weights[labels].mean() == pytest.approx(1)
