"""The network that is trained: a backbone with a head for the labels, and what it starts from."""

from __future__ import annotations

from pathlib import Path

import keras

from edge.errors import InvalidDataError, MissingInputError
from train.backbones import build_backbone, freeze_stages, imagenet_weights_path, load_torch_weights
from train.recipes import Recipe


def build_model(recipe: Recipe, num_labels: int, size_px: int) -> keras.Model:
    """The recipe's network for squares of `size_px`, random weights; outputs `logits` and `embedding`."""
    backbone = build_backbone(recipe.network.backbone, size_px, size_px)
    dropped = keras.layers.Dropout(recipe.network.dropout, name="dropout")(backbone.output)
    logits = keras.layers.Dense(num_labels, name="logits")(dropped)
    return keras.Model(backbone.input, {"logits": logits, "embedding": backbone.output}, name=backbone.name)


def load_weights(model: keras.Model, recipe: Recipe, weights: str) -> bool:
    """Fill the model, freeze its first stages as the recipe says, and tell whether its head is filled too.

    `weights` is `imagenet`; `none` (random, nothing frozen); a legacy torch file; or the `model.keras` of
    an earlier run with as many labels, which brings its head along.

    Raises:
        MissingInputError, MissingLibraryError: the weights are not there.
        InvalidDataError: they belong to another network.
    """
    if weights == "none":
        return False
    freeze_stages(model, recipe.network.frozen_stages)
    if weights.endswith(".keras"):
        _load_run_weights(model, Path(weights))
        return True
    path = imagenet_weights_path(recipe.network.backbone) if weights == "imagenet" else Path(weights)
    load_torch_weights(keras.Model(model.input, model.output["embedding"], name=model.name), path)
    return False


def _load_run_weights(model: keras.Model, path: Path) -> None:
    if not path.is_file():
        raise MissingInputError(f"no weights at {path}: expected the model.keras of a run")
    try:
        values = {layer.name: layer.get_weights() for layer in keras.models.load_model(path, compile=False).layers}
        for layer in model.layers:
            layer.set_weights(values[layer.name])
    except (ValueError, KeyError, OSError) as error:
        raise InvalidDataError(f"{path} does not fit {model.name} with these labels: {error}") from error
