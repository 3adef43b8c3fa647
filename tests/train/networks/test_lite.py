from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from edge.errors import InvalidDataError
from edge.preprocess import InputSpec, load_picture, to_input
from train.networks.lite import VARIANTS, imagenet_weights_path, load_torch_weights, scaled_groups
from train.networks.model import build_model
from train.networks.torch_stream import load_tensors
from train.recipes import load_recipe

NAME = "efficientnet-lite0"


def up_to_embedding(name: str, size_px: int) -> keras.Model:
    """The recipe's network without its head, random weights."""
    model = build_model(load_recipe(name), 2, size_px)
    return keras.Model(model.input, model.output["embedding"], name=model.name)


@pytest.fixture(scope="module")
def imagenet() -> keras.Model:
    model = up_to_embedding(NAME, 224)
    load_torch_weights(model, imagenet_weights_path(NAME))
    return model


def test_lite0_has_the_published_number_of_parameters(imagenet: keras.Model) -> None:
    # 4,652,008 are published; the ImageNet head has 1000 x 1280 + 1000 of them, and batch norm statistics do not count.
    num_statistics = sum(layer.moving_mean.shape[0] * 2 for layer in imagenet.layers if hasattr(layer, "moving_mean"))
    assert imagenet.count_params() - num_statistics == 4_652_008 - 1_281_000


@pytest.mark.parametrize(
    ("name", "channels", "blocks"),
    [
        ("efficientnet-lite0", (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
        ("efficientnet-lite1", (16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1)),
        ("efficientnet-lite2", (16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)),
    ],
)
def test_larger_variants_follow_by_scaling(name: str, channels: tuple[int, ...], blocks: tuple[int, ...]) -> None:
    groups = scaled_groups(VARIANTS[name])
    assert tuple(group.channels for group in groups) == channels
    assert tuple(group.num_blocks for group in groups) == blocks


def test_every_tensor_lands_in_the_layer_of_its_name(imagenet: keras.Model) -> None:
    tensors = load_tensors(imagenet_weights_path(NAME))
    stem = imagenet.get_layer("stem_conv").get_weights()[0]
    np.testing.assert_array_equal(stem[:, :, 2, 5], tensors["_conv_stem.weight"][5, 2])
    depthwise = imagenet.get_layer("group7_block0_depthwise_conv").get_weights()[0]
    np.testing.assert_array_equal(depthwise[:, :, 9, 0], tensors["_blocks.15._depthwise_conv.weight"][9, 0])
    variance = imagenet.get_layer("head_bn").get_weights()[3]
    np.testing.assert_array_equal(variance, tensors["_bn1.running_var"])


def test_imagenet_names_a_bottle(imagenet: keras.Model, shared_data: Path) -> None:
    # The ImageNet classifier lives in the file only; with it the network must know beer and wine bottles again.
    tensors = load_tensors(imagenet_weights_path(NAME))
    pictures = sorted((shared_data / "trashnet" / "glass").glob("*.jpg"))[:40]
    images = np.stack([to_input(load_picture(path), InputSpec()) for path in pictures]).astype(np.float32)
    features = np.asarray(imagenet.predict_on_batch(images))
    answers = (features @ tensors["_fc.weight"].T + tensors["_fc.bias"]).argmax(axis=1)
    beer_bottle, pop_bottle, wine_bottle, water_jug, perfume = 440, 737, 907, 899, 711
    # 40 of 1000 classes at random would be none; measured 19 of 40 with the closest five names.
    assert np.isin(answers, [beer_bottle, pop_bottle, wine_bottle, water_jug, perfume]).sum() >= 15


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(
        InvalidDataError, match=r"does not fit efficientnet_lite1: _blocks\.3\._depthwise_conv expected"
    ):
        load_torch_weights(up_to_embedding("efficientnet-lite1", 64), imagenet_weights_path(NAME))
