"""What this machine computes on: one CPU, or GPUs with mixed precision and a share of each batch for every one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from edge.errors import OutOfMemoryError

_log = logging.getLogger(__name__)


def num_gpus() -> int:
    """GPUs that Keras's backend can use."""
    try:
        return len(keras.distribution.list_devices("gpu"))
    except RuntimeError:  # JAX without a GPU platform
        return 0


def share_batches() -> int:
    """Split each batch over all devices of the best kind, and return how many those are.

    TensorFlow's backend of Keras 3 shares nothing: it trains on one GPU.
    """
    if keras.backend.backend() != "jax":
        if num_gpus() > 1:
            _log.warning("found %d GPUs, using one: KERAS_BACKEND=jax uses all", num_gpus())
        return 1
    devices = keras.distribution.list_devices("gpu" if num_gpus() else "cpu")
    if len(devices) > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    return max(1, len(devices))


@contextmanager
def mixed_precision() -> Iterator[None]:
    """Layers made inside compute in bfloat16 on a GPU and keep float32 weights; on a CPU all is float32.

    bfloat16 has float32's range, so that no loss scaling is needed; on CPUs it is slower than float32.
    """
    if not num_gpus():
        yield
        return
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def memory_errors() -> Iterator[None]:
    """That TensorFlow or JAX found no room, on the GPU or beside it, becomes an OutOfMemoryError."""
    try:
        yield
    except Exception as error:
        # Told by its name: which class it is depends on the backend, and JAX has one for all that goes wrong.
        if type(error).__name__ != "ResourceExhaustedError" and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise OutOfMemoryError(
            "there is no memory left to train this network in: give a smaller --batch-size, or a smaller network"
            " (--set network.train_px=..., --set network.hidden=..., another --recipe)"
        ) from error


def should_compile() -> bool:
    """Whether steps go through XLA: JAX has nothing else, and TensorFlow is slower with it on a CPU."""
    return bool(keras.backend.backend() == "jax")
