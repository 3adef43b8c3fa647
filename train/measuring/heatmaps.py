"""What a network looked at: the part that each place of its last maps has in a class's logit.

Behind pooling all heads here are affine but for one ReLU, so the gradient is plain algebra, exact, and the same on
every backend. For a linear head on average pooling this is CAM (Zhou et al. 2016, arXiv:1512.04150); in general it
is HiResCAM (Draelos and Carin 2020, arXiv:2011.08891).
"""

from __future__ import annotations

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Image
from train.networks.model import POOL

Floats = NDArray[np.float32]

_STRENGTH = 0.6  # of the colors over the picture: the item must stay recognizable


class Heatmaps:
    """The maps of one network, loaded once."""

    def __init__(self, model: keras.Model) -> None:
        pool = model.get_layer(POOL)
        self._maps = keras.Model(model.input, pool.input)
        self._is_average = isinstance(pool, keras.layers.GlobalAveragePooling2D)
        self._layers = {layer.name: [np.asarray(weight) for weight in layer.get_weights()] for layer in model.layers}
        self._norm_epsilon = model.get_layer("pool_norm").epsilon if "pool_norm" in self._layers else 0.0

    def heat(self, image: Image, class_index: int) -> Floats:
        """(h, w) at the size of the maps: positive where the picture spoke for the class."""
        maps: Floats = np.asarray(self._maps.predict_on_batch(image[None].astype(np.float32)), np.float32)[0]
        pooled = maps.mean(axis=(0, 1)) if self._is_average else maps.reshape(-1)
        gradient = self._gradient(pooled, class_index)
        share = gradient / (maps.shape[0] * maps.shape[1]) if self._is_average else gradient.reshape(maps.shape)
        heat: Floats = (maps * share).sum(axis=-1)
        return heat

    def _gradient(self, pooled: Floats, class_index: int) -> Floats:
        """Of the class's logit by the pooled features."""
        x, slope = pooled, np.ones_like(pooled)
        if "pool_norm" in self._layers:
            gamma, beta, mean, variance = self._layers["pool_norm"]
            slope = (gamma / np.sqrt(variance + self._norm_epsilon)).astype(np.float32)
            x = slope * (x - mean) + beta
        gradient = self._layers["logits"][0][:, class_index]
        if "hidden" in self._layers:
            kernel, bias = self._layers["hidden"]
            gradient = kernel @ (gradient * (x @ kernel + bias > 0))
        result: Floats = gradient * slope
        return result


def overlay(image: Image, heat: Floats) -> Image:
    """The picture with heat laid over it: yellow where it counts most, untouched where it counts nothing."""
    height, width = image.shape[:2]
    positive = np.maximum(heat, 0)
    strength = cv2.resize(positive / max(float(positive.max()), 1e-9), (width, height), interpolation=cv2.INTER_CUBIC)
    strength = np.clip(strength, 0, 1)
    colors = cv2.cvtColor(cv2.applyColorMap((strength * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    alpha = (_STRENGTH * strength)[..., np.newaxis]
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    mixed: Image = np.clip(gray * (1 - alpha) + colors * alpha, 0, 255).astype(np.uint8)
    return mixed
