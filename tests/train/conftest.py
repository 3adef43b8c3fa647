"""A data folder drawn by the tests, and one real training run on it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.train.shapes import draw_shapes
from train.measuring.metrics import Evaluation
from train.recipes import Recipe, load_recipe

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

SMALL = (
    "network.train_px=64",
    "network.input_px=64",
    "data.val_share=0.25",
    "head.passes=1",
    "phases.0.epochs=2",
    "fit.batch_size=12",
)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of 16 pictures a class; session-wide, so tests that change it make their own."""
    root = tmp_path_factory.mktemp("data") / "shapes"
    return draw_shapes(root, num_each=16)


@pytest.fixture(scope="session")
def small_recipe() -> Recipe:
    """The shipped recipe, for small pictures and two epochs."""
    return load_recipe("efficientnet-lite0", SMALL)


@pytest.fixture(scope="session")
def trained(shapes: Path, small_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Evaluation]:
    """A run directory of a real run from ImageNet weights, and the metrics that the run returned."""
    from train.fitting.fit import train  # noqa: PLC0415, after the environment above is set

    out = tmp_path_factory.mktemp("runs") / "run"
    return out, train(shapes, out, small_recipe, recipe_name="efficientnet-lite0", seed=1)
