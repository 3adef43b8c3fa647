"""The running mean of a network's weights: steadier than the last step's, at no cost on the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np
from numpy.typing import NDArray


class WeightAverage(keras.callbacks.Callback):  # type: ignore[misc]
    """Exponential mean over training steps of all weights, batch norm's statistics included.

    Early steps count more than `momentum` says, min(momentum, (1 + n) / (10 + n)), so that the start is forgotten soon.
    """

    def __init__(self, network: keras.Model, momentum: float) -> None:
        super().__init__()
        self._momentum = momentum
        self._num_steps = 0
        # Frozen weights are their own mean; a frozen batch norm's statistics stand still with it.
        layers = [layer for layer in network.layers if layer.trainable]
        self._weights: list[keras.Variable] = [weight for layer in layers for weight in layer.weights]
        self._means: list[NDArray[np.float32]] = [weight.numpy().copy() for weight in self._weights]

    @property
    def num_steps(self) -> int:
        """Steps that the means cover."""
        return self._num_steps

    @property
    def means(self) -> list[NDArray[np.float32]]:
        """The means, in the order of the network's trainable layers."""
        return self._means

    def restore(self, means: Sequence[NDArray[np.generic]], num_steps: int) -> None:
        """Go on from means that were saved."""
        self._means = [mean.astype(np.float32) for mean in means]
        self._num_steps = num_steps

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002, Keras's signature
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()  # JAX keeps the step's weights apart from the variables
        self._num_steps += 1
        momentum = min(self._momentum, (1 + self._num_steps) / (10 + self._num_steps))
        for mean, weight in zip(self._means, self._weights, strict=True):
            np.multiply(mean, momentum, out=mean)
            np.add(mean, (1 - momentum) * weight.numpy(), out=mean)

    def apply(self) -> None:
        """Put the means into the network."""
        for mean, weight in zip(self._means, self._weights, strict=True):
            weight.assign(mean)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network with the means inside the block, its own weights again after it."""
        own = [weight.numpy().copy() for weight in self._weights]
        self.apply()
        try:
            yield
        finally:
            for value, weight in zip(own, self._weights, strict=True):
                weight.assign(value)
