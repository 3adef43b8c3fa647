from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from edge.errors import ConfigError, InvalidDataError, MissingInputError, UnavailableError
from train.networks.lite import imagenet_weights_path
from train.networks.model import build_model, is_pretrained, load_weights, set_trainable
from train.recipes import Recipe, load_recipe

# Keras 3.15 saves its variables by a NumPy 1 protocol: https://numpy.org/doc/2.0/numpy_2_0_migration_guide.html
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


def learning(model: keras.Model) -> set[str]:
    return {layer.name.split("_")[0] for layer in model.layers if layer.weights and layer.trainable}


@pytest.mark.parametrize(
    ("what", "stages"),
    [
        ("all", {"stem", *(f"group{number}" for number in range(1, 8)), "head", "logits"}),
        ("from group6", {"group6", "group7", "head", "logits"}),
        ("last 5", {"group7", "head", "logits"}),  # head: conv, batch norm, ReLU; group 7: projection and its norm
        ("head", {"logits"}),
    ],
)
def test_a_phase_trains_what_it_names_and_all_behind_it(small_recipe: Recipe, what: str, stages: set[str]) -> None:
    model = build_model(small_recipe, 3, 32)
    set_trainable(model, what)
    assert learning(model) == stages


def test_an_unknown_layer_is_named(small_recipe: Recipe) -> None:
    with pytest.raises(ConfigError, match="no layer begins with 'group9'"):
        set_trainable(build_model(small_recipe, 3, 32), "from group9")


def test_an_unknown_backbone_names_the_known_ones() -> None:
    recipe = load_recipe("efficientnet-lite0", ["network.backbone=resnet"])
    with pytest.raises(ConfigError, match=r"expected one of efficientnet-lite0, .* found 'resnet'"):
        build_model(recipe, 3, 32)


@pytest.mark.parametrize("backbone", ["efficientnet-lite0", "cnn"])
def test_a_scale_that_would_change_nothing_is_refused(backbone: str) -> None:
    with pytest.raises(ConfigError, match=f"can be shown another scale than their own, found unit for {backbone}"):
        build_model(load_recipe(backbone, ["network.input_scale=unit"]), 3, 224)


def test_only_mobilenet_has_widths() -> None:
    with pytest.raises(ConfigError, match=r"only mobilenetv2 comes in widths, found 0\.5"):
        build_model(load_recipe("resnet50", ["network.width=0.5"]), 3, 32)
    narrow, wide = (
        build_model(load_recipe("mobilenetv2", [f"network.width={width}"]), 3, 32).count_params()
        for width in (0.35, 1.0)
    )
    assert narrow < wide / 4


def test_imagenet_fills_the_backbone(small_recipe: Recipe) -> None:
    model = build_model(small_recipe, 3, 32)
    before = model.get_layer("head_conv").get_weights()[0]
    assert load_weights(model, small_recipe, str(imagenet_weights_path("efficientnet-lite0"))) is False
    assert (model.get_layer("head_conv").get_weights()[0] != before).any()


def test_a_file_of_keras_applications_fills_its_network(tmp_path: Path) -> None:
    recipe = load_recipe("mobilenetv2", ["network.width=0.35"])
    donor = keras.applications.MobileNetV2(weights=None, include_top=False, alpha=0.35, input_shape=(224, 224, 3))
    donor.save_weights(tmp_path / "mine.weights.h5")
    model = build_model(recipe, 3, 32)
    load_weights(model, recipe, str(tmp_path / "mine.weights.h5"))
    np.testing.assert_array_equal(
        model.get_layer("Conv_1").get_weights()[0], donor.get_layer("Conv_1").get_weights()[0]
    )


def test_a_file_of_another_network_does_not_fit(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]).save_weights(tmp_path / "other.weights.h5")
    recipe = load_recipe("mobilenetv2", ["network.width=0.35"])
    with pytest.raises(InvalidDataError, match="does not fit MobileNetV2"):
        load_weights(build_model(recipe, 3, 32), recipe, str(tmp_path / "other.weights.h5"))


def test_weights_that_cannot_be_fetched_say_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A width for which nothing is published fails as a machine without network does, and needs none to show it.
    recipe = load_recipe("mobilenetv2", ["network.width=0.6"])
    with pytest.raises(UnavailableError, match=r"cannot be had: .*--weights FILE.*--weights none"):
        load_weights(build_model(recipe, 3, 32), recipe, "imagenet")


def test_weights_that_want_blue_first_are_turned_to_red_first(tmp_path: Path) -> None:
    recipe = load_recipe("resnet50", ["network.input_scale=own"])
    donor = keras.applications.ResNet50(weights=None, include_top=False, input_shape=(224, 224, 3))
    donor.save_weights(tmp_path / "mine.weights.h5")
    model = build_model(recipe, 3, 32)
    load_weights(model, recipe, str(tmp_path / "mine.weights.h5"))
    bgr = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    seen = keras.Model(model.input, model.get_layer("conv1_conv").output).predict_on_batch(bgr[..., ::-1])
    conv = donor.get_layer("conv1_conv")
    padded = np.pad(
        keras.applications.resnet50.preprocess_input(bgr[..., ::-1].copy()), ((0, 0), (3, 3), (3, 3), (0, 0))
    )
    np.testing.assert_allclose(np.asarray(seen), np.asarray(conv(padded)), rtol=1e-3, atol=1e-2)


def test_the_cnn_starts_from_scratch() -> None:
    recipe = load_recipe("cnn")
    assert not is_pretrained(recipe, "imagenet")
    with pytest.raises(InvalidDataError, match="does not fit cnn"):
        is_pretrained(recipe, "weights.h5")


def test_a_run_brings_its_head_along(small_recipe: Recipe, tmp_path: Path) -> None:
    earlier = build_model(small_recipe, 3, 32)
    earlier.save(tmp_path / "model.keras")
    model = build_model(small_recipe, 3, 64)
    assert load_weights(model, small_recipe, str(tmp_path / "model.keras")) is True
    for one, other in zip(earlier.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_fills_a_network_whose_poolings_keras_has_numbered_anew(tmp_path: Path) -> None:
    recipe = load_recipe("resnet50v2")
    earlier, model = (build_model(recipe, 3, 32) for _ in range(2))
    assert [layer.name for layer in earlier.layers] != [layer.name for layer in model.layers]
    earlier.save(tmp_path / "model.keras")

    assert load_weights(model, recipe, str(tmp_path / "model.keras")) is True
    assert all(map(np.array_equal, model.get_weights(), earlier.get_weights()))


def test_a_run_with_other_labels_does_not_fit(small_recipe: Recipe, tmp_path: Path) -> None:
    build_model(small_recipe, 4, 32).save(tmp_path / "model.keras")
    with pytest.raises(InvalidDataError, match="does not fit efficientnet_lite0 with these labels"):
        load_weights(build_model(small_recipe, 3, 32), small_recipe, str(tmp_path / "model.keras"))


def test_a_missing_run_is_named(small_recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no weights at"):
        load_weights(build_model(small_recipe, 3, 32), small_recipe, str(tmp_path / "model.keras"))
