from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.errors import InvalidDataError, MissingInputError
from train.backbones import imagenet_weights_path
from train.network import build_model, load_weights
from train.recipes import Recipe

# Keras 3.15 saves its variables by a NumPy 1 protocol: https://numpy.org/doc/2.0/numpy_2_0_migration_guide.html
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


def test_random_weights_freeze_nothing(small_recipe: Recipe) -> None:
    model = build_model(small_recipe, 3, 32)
    assert load_weights(model, small_recipe, "none") is False
    assert all(layer.trainable for layer in model.layers)


def test_imagenet_fills_the_backbone_and_freezes_its_first_stages(small_recipe: Recipe) -> None:
    model = build_model(small_recipe, 3, 32)
    before = model.get_layer("head_conv").get_weights()[0]
    assert load_weights(model, small_recipe, str(imagenet_weights_path("efficientnet-lite0"))) is False
    assert (model.get_layer("head_conv").get_weights()[0] != before).any()
    assert not model.get_layer("stem_conv").trainable
    assert model.get_layer("head_conv").trainable


def test_a_run_brings_its_head_along(small_recipe: Recipe, tmp_path: Path) -> None:
    earlier = build_model(small_recipe, 3, 32)
    earlier.save(tmp_path / "model.keras")
    model = build_model(small_recipe, 3, 64)
    assert load_weights(model, small_recipe, str(tmp_path / "model.keras")) is True
    for one, other in zip(earlier.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_with_other_labels_does_not_fit(small_recipe: Recipe, tmp_path: Path) -> None:
    build_model(small_recipe, 4, 32).save(tmp_path / "model.keras")
    with pytest.raises(InvalidDataError, match="does not fit efficientnet_lite0 with these labels"):
        load_weights(build_model(small_recipe, 3, 32), small_recipe, str(tmp_path / "model.keras"))


def test_a_missing_run_is_named(small_recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no weights at"):
        load_weights(build_model(small_recipe, 3, 32), small_recipe, str(tmp_path / "model.keras"))
