"""Every shipped recipe trains, on few and tiny pictures and for one step of each phase."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.run import load_run
from tests.train.shapes import LABELS, draw_shapes
from train.recipes import load_recipe, recipe_names

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

# The default one is trained from ImageNet weights in fitting/test_fit.py; the others differ in network and sizes.
EVERY_DAY = ("cnn",)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("few") / "shapes"
    return draw_shapes(root, num_each=6)


@pytest.mark.timeout(600)  # networks of 350 layers are traced, which takes a minute on two shared cores
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in EVERY_DAY else pytest.mark.minutes) for name in recipe_names()],
)
def test_a_recipe_runs_from_pictures_to_a_run_directory(name: str, few: Path, tmp_path: Path) -> None:
    from train.fitting.fit import train  # noqa: PLC0415, seconds to import

    sizes = [
        "network.train_px=32",
        "network.input_px=32",
        "phases.*.epochs=1",
        "fit.batch_size=12",
        "data.split=random",
    ]
    recipe = load_recipe(name, [*sizes, *(["network.width=0.35"] if name == "mobilenetv2" else [])])
    evaluation = train(few, tmp_path / "run", recipe, recipe_name=name, weights="none")
    assert evaluation.labels == LABELS
    run = load_run(tmp_path / "run")
    assert run.cost is not None
    assert run.cost.num_multiply_adds > 0
    recorded = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert recorded["num_images"] == evaluation.num_images
    assert ("test_accuracy" in run.metrics) == bool(recipe.data.test_share)
    history = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert len(history) == 1 + len(recipe.phases)
