"""Keras files and SavedModels from elsewhere, converted with their normalization put inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from convert.network import load_keras_file
from convert.tflite.converter import SCORES, convert_graph
from convert.tflite.rescaling import BYTES, Normalization
from edge.bundle import Precision
from edge.errors import InvalidDataError, UsageError
from edge.host.native import native_stderr_logged
from edge.preprocess import Image, InputSpec

if TYPE_CHECKING:
    import tensorflow as tf

_SIGNATURE = "serving_default"
_NOT_ONE_TO_ONE = "has several inputs or outputs: expected one picture in and one row of scores out"


@dataclass(frozen=True, slots=True)
class ForeignNetwork:
    """A loaded network: its weights, what it computes, and the picture it takes (None: any size)."""

    weights: tf.Module
    answer: Callable[[tf.Tensor], tf.Tensor]
    spec: InputSpec | None


def load_foreign_network(path: Path) -> ForeignNetwork:
    """The network in a .keras or .h5 file, or in a SavedModel folder.

    Raises:
        InvalidDataError: it does not load without foreign code, or is not one picture in, one row out.
    """
    return _load_saved_model(path) if path.is_dir() else _load_keras(path)


def convert_foreign(
    network: ForeignNetwork,
    spec: InputSpec,
    normalization: Normalization,
    precision: Precision,
    representative: Sequence[Image],
) -> bytes:
    """A .tflite file that computes the network of (byte - mean) / std.

    It takes 0..255; in int8 bytes, where a byte can be the zero point, which then stands for the mean.
    """
    mean, std = normalization.mean, normalization.std
    if precision == "int8" and 0 <= mean <= 255:
        expects = normalization

        def answer(image: tf.Tensor) -> dict[str, tf.Tensor]:
            return {SCORES: network.answer(image)}
    else:
        expects = BYTES

        def answer(image: tf.Tensor) -> dict[str, tf.Tensor]:
            return {SCORES: network.answer((image - mean) / std)}

    return convert_graph(network.weights, answer, spec, precision, representative, expects, output_type="uint8")


def input_spec(network: ForeignNetwork, wanted: InputSpec | None, path: Path) -> InputSpec:
    """The size that the network takes, or the wanted one where it takes any.

    Raises:
        UsageError: both are open, or they contradict each other.
    """
    if network.spec is None and wanted is None:
        raise UsageError(f"{path} takes pictures of any size: say which with --size")
    if network.spec is not None and wanted not in (None, network.spec):
        raise UsageError(f"{path} takes {network.spec.width_px} x {network.spec.height_px} px only: leave out --size")
    return network.spec or wanted or InputSpec()


def _load_keras(path: Path) -> ForeignNetwork:
    model = load_keras_file(path)
    if len(model.inputs or ()) != 1 or len(model.outputs or ()) != 1:
        raise InvalidDataError(f"{path} {_NOT_ONE_TO_ONE}")
    spec = _spec_of(path, tuple(model.inputs[0].shape))
    return ForeignNetwork(model, lambda image: _only(model(image, training=False)), spec)


def _load_saved_model(path: Path) -> ForeignNetwork:
    with native_stderr_logged():
        import tensorflow as tf  # noqa: PLC0415  (seconds to import)

        try:
            loaded = tf.saved_model.load(str(path))
        except (ValueError, TypeError, OSError, KeyError) as error:
            raise InvalidDataError(
                f"{path} does not load: expected a folder with a saved_model.pb ({error})"
            ) from error
    if _SIGNATURE not in loaded.signatures:
        raise InvalidDataError(f"{path} has no signature {_SIGNATURE}: export it again with one")
    signature = loaded.signatures[_SIGNATURE]
    taken = signature.structured_input_signature[1]
    given = signature.structured_outputs
    if len(taken) != 1 or len(given) != 1:
        raise InvalidDataError(f"{path} {_NOT_ONE_TO_ONE}")
    (taken_name, taken_spec), given_name = next(iter(taken.items())), next(iter(given))
    return ForeignNetwork(
        loaded,
        lambda image: signature(**{taken_name: image})[given_name],
        _spec_of(path, tuple(taken_spec.shape.as_list())),
    )


def _spec_of(path: Path, shape: tuple[int | None, ...]) -> InputSpec | None:
    match shape:
        case (_, int(height_px), int(width_px), 3):
            return InputSpec(height_px, width_px)
        case (_, None, None, 3):
            return None
    raise InvalidDataError(f"{path} takes {shape}: expected (batch, height, width, 3), an RGB picture")


def _only(answer: tf.Tensor | Mapping[str, tf.Tensor] | Sequence[tf.Tensor]) -> tf.Tensor:
    """The one tensor, also where the model wraps it in a list or names it."""
    if isinstance(answer, Mapping):
        return next(iter(answer.values()))
    return answer[0] if isinstance(answer, list | tuple) else answer
