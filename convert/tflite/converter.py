"""From a Keras model to the bytes of a TFLite file, through TensorFlow's converter.

The batch is 1 and static, and camera bytes go in untouched. In floats the network's own rescaling stays
inside. In int8 it becomes the scale and zero point of the uint8 input, which costs nothing and loses nothing:
as steps of their own, a multiplication and an addition in int8 would leave two thirds of the 256 levels.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isclose
from typing import TYPE_CHECKING

import numpy as np

from convert.network import EMBEDDING, LOGITS
from convert.tflite.interpreter import open_interpreter
from convert.tflite.rescaling import BYTES, Inner, Normalization, inside_rescaling
from edge.bundle import Outputs, Precision
from edge.errors import InvalidDataError, StorageError
from edge.host.native import native_stderr_logged
from edge.preprocess import Image, InputSpec

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

SCORES = "scores"

_SAME_STEP = 1e-5  # a file keeps the scale in float32, which holds no 1/255; over 255 steps still nothing


@dataclass(frozen=True, slots=True)
class Converted:
    """The bytes of a .tflite file, where its outputs are, and what its input expects of a byte."""

    model: bytes
    outputs: Outputs
    expects: Normalization = BYTES

    @property
    def output_names(self) -> tuple[str, str]:
        """The outputs in the order of the file."""
        is_logits_first = self.outputs.logits < (self.outputs.embedding or 0)
        return (LOGITS, EMBEDDING) if is_logits_first else (EMBEDDING, LOGITS)


def to_tflite(
    network: keras.Model, spec: InputSpec, precision: Precision, representative: Sequence[Image]
) -> Converted:
    """The network at a precision; `representative` sets the ranges of int8 and is unused elsewhere.

    The same arguments give the same bytes.

    Raises:
        InvalidDataError: the converter refuses an operator, or quantizes the input to something other
            than camera bytes.
    """
    inner = inside_rescaling(network) if precision == "int8" else Inner(network)

    def logits_and_embedding(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return inner.network(image, training=False)  # type: ignore[no-any-return]

    model = convert_graph(network, logits_and_embedding, spec, precision, representative, inner.expects)
    return Converted(model, read_outputs(model, precision, inner.expects), inner.expects)


def to_plain_classifier(
    network: keras.Model, spec: InputSpec, precision: Precision, representative: Sequence[Image], temperature: float
) -> bytes:
    """A TFLite file with the scores as its only output, for tools that know nothing of bundles.

    In int8 both ends are uint8: the likes of MediaPipe refuse int8.
    """
    import tensorflow as tf  # noqa: PLC0415

    inner = inside_rescaling(network) if precision == "int8" else Inner(network)

    def scores(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {SCORES: tf.nn.softmax(inner.network(image, training=False)[LOGITS] / temperature)}

    return convert_graph(network, scores, spec, precision, representative, inner.expects, output_type="uint8")


def convert_graph(
    network: tf.Module,
    serve: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    spec: InputSpec,
    precision: Precision,
    representative: Sequence[Image],
    expects: Normalization = BYTES,
    output_type: str = "int8",
) -> bytes:
    """The graph `serve`, from float32 (1, H, W, 3) as it `expects` to named outputs, over the network's weights.

    Raises:
        InvalidDataError: the converter refuses an operator.
    """
    import tensorflow as tf  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="sorter-convert-") as folder, native_stderr_logged():
        _export(network, serve, spec, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            converter.representative_dataset = lambda: samples(representative, expects)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.uint8
            converter.inference_output_type = tf.as_dtype(output_type)
        try:
            return bytes(converter.convert())
        except Exception as error:  # the converter's own class is private, and MLIR raises bare ones
            raise InvalidDataError(f"the model cannot be converted to {precision}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The operators that TFLite lacks, where that is what a message of many lines comes down to."""
    if lacking := sorted(set(re.findall(r"'tf\.(\w+)' op is neither a custom op nor a flex op", str(error)))):
        return f"TFLite has no {', '.join(lacking)}; expected operators that run without TensorFlow"
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _export(
    network: tf.Module, serve: Callable[[tf.Tensor], dict[str, tf.Tensor]], spec: InputSpec, folder: str
) -> None:
    """Write a SavedModel with a batch of one: what the converter reads without losing weights or names.

    It holds this one graph and its weights. What Keras would add, each layer with a graph of its own, and the gradients
    of each activation, is never read here, and is most of the work for a network of some hundred layers.
    """
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    signature = tf.TensorSpec((1, spec.height_px, spec.width_px, 3), tf.float32, name="image")
    module = tf.Module()
    module.held = [weight.value for weight in network.variables] if isinstance(network, keras.Model) else network
    served = tf.function(serve, input_signature=[signature])
    without_gradients = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    try:
        tf.saved_model.save(module, folder, signatures=served, options=without_gradients)
    except (OSError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0].split("; ")[-1].removesuffix(" [Op:SaveV2]")
        raise StorageError(f"{folder} cannot be written ({reason}): is the disk full? TMPDIR names another") from error


def samples(representative: Sequence[Image], expects: Normalization) -> Iterator[list[np.ndarray]]:
    """Batches of one, float32, as a network `expects` them, to set its ranges by.

    Two pixels of each pin the range of the input to all bytes, one step for each.
    """
    for image in representative:
        sample = image[None].copy()
        sample[0, 0, 0], sample[0, 0, 1] = 0, 255
        yield [expects.of(sample)]


def read_outputs(model: bytes, precision: Precision, expects: Normalization) -> Outputs:
    """Where a model of this project has its outputs.

    Raises:
        InvalidDataError: it is int8 and takes something other than camera bytes.
    """
    interpreter = open_interpreter(model)
    taken = interpreter.get_input_details()[0]
    scale, zero_point = taken["quantization"]
    is_bytes = taken["dtype"] is np.uint8 and zero_point == expects.mean
    if precision == "int8" and not (is_bytes and isclose(scale * expects.std, 1, rel_tol=_SAME_STEP)):
        raise InvalidDataError(
            f"the input became {np.dtype(taken['dtype'])} with scale {scale:.8g} and zero point {zero_point}, "
            f"expected uint8 with {1 / expects.std:.8g} and {expects.mean:g}, one step for each byte"
        )
    places = {details["index"]: place for place, details in enumerate(interpreter.get_output_details())}
    by_name = interpreter.get_signature_runner().get_output_details()
    embedding = by_name[EMBEDDING]
    return Outputs(
        logits=places[by_name[LOGITS]["index"]],
        embedding=places[embedding["index"]],
        embedding_size=int(np.prod(embedding["shape"])),
    )
