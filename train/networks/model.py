"""The network that is trained: a backbone with a head for the labels, what it starts from, and what of it learns."""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from edge.errors import ConfigError, InvalidDataError, MissingInputError
from edge.run import whole_network
from train.networks.applications import APPLICATIONS
from train.networks.lite import VARIANTS, imagenet_weights_path, lite_maps, load_torch_weights
from train.recipes import Network, Recipe

PLAIN = "cnn"
BACKBONES = (*VARIANTS, *APPLICATIONS, PLAIN)

# Separates backbone and head in every network.
POOL = "pool"

_PLAIN_CHANNELS = (32, 64, 128)


def build_model(recipe: Recipe, num_labels: int, size_px: int) -> keras.Model:
    """The recipe's network for squares of `size_px`, random weights.

    Takes float32 (N, size_px, size_px, 3) RGB in 0..255. Outputs `logits` (N, num_labels) and `embedding` (N, D),
    of which the logits are a linear function.

    Raises:
        ConfigError: there is no backbone of that name, or it has no width.
    """
    network = recipe.network
    _check(network)
    image = keras.Input((size_px, size_px, 3), name="image")
    pool = layers.Flatten(name=POOL) if network.pool == "flatten" else layers.GlobalAveragePooling2D(name=POOL)
    embedding = pool(_maps(image, network))
    if network.pool_norm:
        embedding = layers.BatchNormalization(name="pool_norm")(embedding)
    if network.hidden:
        embedding = layers.Dense(network.hidden, activation="relu", name="hidden")(embedding)
    dropped = layers.Dropout(network.dropout, name="dropout")(embedding)
    logits = layers.Dense(num_labels, dtype="float32", name="logits")(dropped)
    return keras.Model(image, {"logits": logits, "embedding": embedding}, name=network.backbone.replace("-", "_"))


def _check(network: Network) -> None:
    if network.backbone not in BACKBONES:
        raise ConfigError(f"network.backbone: expected one of {', '.join(BACKBONES)}, found {network.backbone!r}")
    application = APPLICATIONS.get(network.backbone)
    if network.width != 1 and not (application and application.takes_width):
        raise ConfigError(
            f"network.width: only mobilenetv2 comes in widths, found {network.width} for {network.backbone}"
        )
    if network.input_scale == "unit" and application is None:
        raise ConfigError(
            f"network.input_scale: only {', '.join(APPLICATIONS)} can be shown another scale than their own, found"
            f" {network.input_scale} for {network.backbone}"
        )


def _maps(image: keras.KerasTensor, network: Network) -> keras.KerasTensor:
    if network.backbone in VARIANTS:
        return lite_maps(image, VARIANTS[network.backbone])
    if network.backbone in APPLICATIONS:
        return APPLICATIONS[network.backbone].maps(image, network.width, network.input_scale)
    x = layers.Rescaling(1 / 255, name="rescale")(image)
    for number, channels in enumerate(_PLAIN_CHANNELS, start=1):
        x = layers.Conv2D(channels, 3, activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(name=f"max_pool{number}")(x)
    return x


def load_weights(model: keras.Model, recipe: Recipe, weights: str) -> bool:
    """Fill the model, and tell whether its head is filled too.

    `weights` is `imagenet`; `none` (random); a file of the backbone's ImageNet weights, a legacy torch file for
    EfficientNet-Lite and .h5 for the others; or the `model.keras` of an earlier run with as many labels, which brings
    its head along. The cnn starts from random weights whatever is asked.

    Raises:
        MissingInputError, MissingLibraryError, UnavailableError: the weights are not there.
        InvalidDataError: they belong to another network.
    """
    network = recipe.network
    if weights.endswith(".keras"):
        _load_run_weights(model, Path(weights))
        return True
    if not is_pretrained(recipe, weights):
        return False
    if network.backbone in APPLICATIONS:
        APPLICATIONS[network.backbone].fill(model, network.width, network.input_scale, weights)
        return False
    load_torch_weights(model, imagenet_weights_path(network.backbone) if weights == "imagenet" else Path(weights))
    return False


def is_pretrained(recipe: Recipe, weights: str) -> bool:
    """Whether `load_weights` brings more than chance, so that layers may be left as they are.

    Raises:
        InvalidDataError: a file for a network that has no published weights.
    """
    if recipe.network.backbone == PLAIN and weights not in ("none", "imagenet") and not weights.endswith(".keras"):
        raise InvalidDataError(f"{weights} does not fit {PLAIN}: expected the model.keras of a run, or none")
    return weights != "none" and (recipe.network.backbone != PLAIN or weights.endswith(".keras"))


def set_trainable(model: keras.Model, what: str) -> None:
    """Freeze what a phase's `trainable` leaves out; a frozen batch norm also stops following its batches.

    Raises:
        ConfigError: `from NAME` names no layer.
    """
    names = [layer.name for layer in model.layers]
    first = _first_trained(names[: names.index(POOL)], what)
    for index, layer in enumerate(model.layers):
        layer.trainable = index >= first


def _first_trained(backbone: list[str], what: str) -> int:
    kind, _, argument = what.partition(" ")
    if kind == "all":
        return 0
    if kind == "head":
        return len(backbone)
    if kind == "last":
        return max(0, len(backbone) - int(argument))
    for index, name in enumerate(backbone):
        if name.startswith(argument):
            return index
    raise ConfigError(f"trainable: no layer begins with {argument!r}; the last ones are {', '.join(backbone[-5:])}")


def _load_run_weights(model: keras.Model, path: Path) -> None:
    if not path.is_file():
        raise MissingInputError(f"no weights at {path}: expected the model.keras of a run")
    try:
        found = keras.models.load_model(whole_network(path), compile=False)
        values = {layer.name: layer.get_weights() for layer in found.layers}
        for layer in model.layers:
            if layer.weights:  # Keras names some without any, poolings of resnet50v2, by how many it made before
                layer.set_weights(values[layer.name])
    except (ValueError, KeyError, OSError) as error:
        raise InvalidDataError(f"{path} does not fit {model.name} with these labels: {error}") from error
