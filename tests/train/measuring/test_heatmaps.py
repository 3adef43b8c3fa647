from __future__ import annotations

import keras
import numpy as np
import pytest

from train.measuring.heatmaps import Heatmaps, overlay
from train.networks.model import POOL, build_model
from train.recipes import Recipe, load_recipe

CNN = load_recipe("cnn", ["network.train_px=32", "network.input_px=32", "network.hidden=8"])
IMAGE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def gradient_times_maps(model: keras.Model, image: np.ndarray, class_index: int) -> np.ndarray:
    """The same by TensorFlow's own gradients."""
    import tensorflow as tf  # noqa: PLC0415, seconds to import

    maps = keras.Model(model.input, model.get_layer(POOL).input)(image[None].astype(np.float32))
    behind = keras.Model(model.get_layer(POOL).input, model.output["logits"])
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logit = behind(maps, training=False)[0, class_index]
    return np.asarray(tf.reduce_sum(tape.gradient(logit, maps) * maps, axis=-1)[0])


def changed(**settings: object) -> Recipe:
    return CNN.model_copy(update={"network": CNN.network.model_copy(update=settings)})


@pytest.mark.parametrize(
    "recipe",
    [CNN, changed(pool="average"), changed(pool="average", pool_norm=True), changed(pool="average", hidden=0)],
    ids=["flattened", "hidden layer", "batch norm", "linear"],
)
def test_heat_is_what_each_place_adds_to_the_logit(recipe: Recipe) -> None:
    keras.utils.set_random_seed(0)
    model = build_model(recipe, 3, 32)
    if recipe.network.pool_norm:
        layer = model.get_layer("pool_norm")
        layer.set_weights([np.random.default_rng(1).uniform(0.5, 2, weight.shape) for weight in layer.get_weights()])
    heat = Heatmaps(model).heat(IMAGE, 1)
    # Two ways to the same sums of 128 float32 products.
    np.testing.assert_allclose(heat, gradient_times_maps(model, IMAGE, 1), rtol=1e-3, atol=1e-5)


def test_without_bias_the_places_of_a_linear_head_add_up_to_its_logit() -> None:
    recipe = changed(pool="average", hidden=0)
    model = build_model(recipe, 3, 32)
    logits = np.asarray(model.predict_on_batch(IMAGE[None].astype(np.float32))["logits"])[0]
    assert Heatmaps(model).heat(IMAGE, 2).sum() == pytest.approx(float(logits[2]), rel=1e-3)


def test_cold_places_keep_their_gray() -> None:
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 1
    shown = overlay(IMAGE, heat)
    assert shown.shape == IMAGE.shape
    assert (shown[20:, 20:].max(axis=-1) == shown[20:, 20:].min(axis=-1)).all()
    assert (shown[0, 0].max() - shown[0, 0].min()) > 50
