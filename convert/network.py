"""The Keras model of a run, loaded at the size of picture that the device will give it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import InvalidDataError, UsageError
from edge.host.native import native_stderr_logged
from edge.preprocess import InputSpec
from edge.run import MODEL_FILE, Run, whole_network

if TYPE_CHECKING:
    import keras

LOGITS, EMBEDDING = "logits", "embedding"


def load_network(folder: Path, run: Run, spec: InputSpec) -> keras.Model:
    """The run's model, taking float32 (N, height_px, width_px, 3) RGB in 0..255 at the size of `spec`.

    Raises:
        UsageError: Keras runs on a backend that cannot be exported to TFLite.
        InvalidDataError: the file does not load without foreign code, or its outputs are not the run's.
    """
    path = folder / MODEL_FILE
    model = load_keras_file(path)
    _check_outputs(path, model, len(run.labels))
    return model if spec == _spec_of(model) else _resized(model, spec)


def load_keras_file(path: Path) -> keras.Model:
    """The model in a .keras or .h5 file.

    Raises:
        UsageError: Keras runs on a backend that cannot be exported to TFLite.
        InvalidDataError: the file does not load without foreign code.
    """
    if path.suffix == ".keras":
        whole_network(path)
    with native_stderr_logged():
        import keras  # noqa: PLC0415  (seconds to import)

    if keras.backend.backend() != "tensorflow":
        raise UsageError(f"conversion needs KERAS_BACKEND=tensorflow, found {keras.backend.backend()}")
    # Names of tensors count up within a session and end up in the file: begin at one each time.
    keras.utils.clear_session()
    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise InvalidDataError(
            f"{path} does not load: {_reason(error)}; expected a Keras model of built-in layers"
        ) from error


def _reason(error: Exception) -> str:
    """The one telling part of a Keras message, which can be a page long."""
    custom = re.search(r"Could not locate class '(\w+)'", str(error))
    if custom:
        return f"{custom[1]} is not a layer of Keras"
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _check_outputs(path: Path, model: keras.Model, num_labels: int) -> None:
    outputs = model.output if isinstance(model.output, dict) else {}
    if set(outputs) != {LOGITS, EMBEDDING}:
        found = ", ".join(outputs) or "no names"
        raise InvalidDataError(f"{path}: expected the outputs {LOGITS} and {EMBEDDING}, found {found}; train again")
    num_logits = outputs[LOGITS].shape[-1]
    if num_logits != num_labels:
        raise InvalidDataError(f"{path} has {num_logits} logits, but run.json lists {num_labels} labels; train again")


def _spec_of(model: keras.Model) -> InputSpec | None:
    _, height, width, _ = model.input_shape
    return InputSpec(height, width) if height and width else None


def _resized(model: keras.Model, spec: InputSpec) -> keras.Model:
    """The same weights behind an input of another size; a convolutional network does not mind."""
    import keras  # noqa: PLC0415

    twin = keras.models.clone_model(model, input_tensors=keras.Input((spec.height_px, spec.width_px, 3), name="image"))
    twin.set_weights(model.get_weights())
    return twin
