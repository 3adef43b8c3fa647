"""A network without the rescaling at its door, which an int8 input can do by its scale and zero point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Image

if TYPE_CHECKING:
    import keras

_TOLERANCE = 1e-3  # of a byte: float32 constants do not divide exactly


@dataclass(frozen=True, slots=True)
class Normalization:
    """What an input expects of a byte: (byte - mean) / std."""

    mean: float
    std: float

    def of(self, image: Image) -> NDArray[np.float32]:
        """A picture as the input expects it."""
        return (image.astype(np.float32) - np.float32(self.mean)) / np.float32(self.std)


BYTES = Normalization(0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Inner:
    """A network, and what its input expects."""

    network: keras.Model
    expects: Normalization = BYTES


def inside_rescaling(network: keras.Model) -> Inner:
    """The part of the network behind its first rescaling, with the same outputs.

    The network itself where it does not begin with one number to multiply by and one to add, or where no
    byte comes out as zero: a zero point is a whole number.
    """
    import keras  # noqa: PLC0415  (seconds to import)

    first = _first_layer(network)
    if not isinstance(first, keras.layers.Rescaling) or np.ndim(first.scale) or np.ndim(first.offset):
        return Inner(network)
    mean, std = -first.offset / first.scale, 1 / first.scale
    zero = round(mean)
    if abs(mean - zero) > _TOLERANCE or not 0 <= zero <= 255 or std <= 0:
        return Inner(network)
    inner = keras.Model(first.output, network.output, name=network.name)
    return Inner(inner, Normalization(float(zero), float(std)))


def _first_layer(network: keras.Model) -> keras.Layer | None:
    """The only layer that takes the network's only input."""
    import keras  # noqa: PLC0415

    layers: Sequence[keras.Layer] = network.layers
    takers = [layer for layer in layers if not isinstance(layer, keras.layers.InputLayer)]
    takers = [layer for layer in takers if any(taken is network.inputs[0] for taken in _taken(layer))]
    return takers[0] if len(takers) == 1 else None


def _taken(layer: keras.Layer) -> Sequence[keras.KerasTensor]:
    taken = layer.input
    return taken if isinstance(taken, list) else [taken]
