"""TFLite models on the CPU, through LiteRT and its XNNPACK kernels."""

from __future__ import annotations

import ctypes
import importlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.classifiers.base import softmax
from edge.errors import BundleError, MissingLibraryError, UnavailableError
from edge.host.native import native_stderr_logged
from edge.messages import Image, InputSpec, Prediction

_BYTES = np.arange(256, dtype=np.uint8)
_SMALLEST_PROBABILITY = np.float32(1e-9)

# Coral's driver, which its package libedgetpu1-std installs.
EDGETPU = "libedgetpu.so.1"
DELEGATES: Mapping[str, str | None] = MappingProxyType({"litert": None, "edgetpu": EDGETPU})

RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


class TensorDetails(TypedDict):
    """The part of a tensor's description that is used here."""

    index: int
    shape: NDArray[np.int32]
    dtype: type[np.generic]
    quantization: tuple[float, int]


class Interpreter(Protocol):
    """The part of the TFLite interpreter that is used here; both runtimes have it."""

    def allocate_tensors(self) -> None: ...
    def get_input_details(self) -> list[TensorDetails]: ...
    def get_output_details(self) -> list[TensorDetails]: ...
    def set_tensor(self, tensor_index: int, value: NDArray[np.generic]) -> None: ...
    def get_tensor(self, tensor_index: int) -> NDArray[np.generic]: ...
    def invoke(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Tensor:
    """Where one tensor sits, and what turns its stored numbers into real ones."""

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    scale: float
    zero_point: int

    @classmethod
    def of(cls, details: TensorDetails) -> _Tensor:
        scale, zero_point = details["quantization"]
        shape = tuple(int(size) for size in details["shape"])
        return cls(details["index"], shape, np.dtype(details["dtype"]), float(scale), int(zero_point))

    def real(self, stored: NDArray[np.generic]) -> NDArray[np.float32]:
        """The stored numbers as (N,) float32."""
        flat = stored.reshape(-1).astype(np.float32)
        return (flat - np.float32(self.zero_point)) * np.float32(self.scale) if self.scale else flat

    def stored_bytes(self, mean: float, std: float) -> NDArray[np.generic]:
        """What each of the bytes 0..255 is stored as, (256,), where the network expects (byte - mean) / std."""
        real = (np.arange(256) - mean) / std
        if not self.scale:
            return real.astype(self.dtype)
        limits = np.iinfo(self.dtype.name)
        steps: NDArray[np.float64] = np.rint(real / self.scale) + self.zero_point
        return steps.clip(limits.min, limits.max).astype(self.dtype)


class LiteRTClassifier:
    """A bundle's model on the CPU, or on an accelerator through its `delegate`, a shared library such as EDGETPU.

    `temperature` stands in for the bundle's own when it is given. An accelerator never falls back to the
    CPU in silence: one that goes away is an error of the next `classify`.

    Raises:
        MissingLibraryError: no TFLite runtime works here.
        UnavailableError: the delegate cannot be loaded, or finds no accelerator.
        BundleError: the model does not load, or does not have the inputs and outputs of its manifest.
    """

    def __init__(
        self, bundle: Bundle, num_threads: int = 2, temperature: float | None = None, *, delegate: str | None = None
    ) -> None:
        manifest = bundle.manifest
        self._labels = manifest.labels
        self._spec = manifest.input.spec()
        self._temperature = manifest.temperature if temperature is None else temperature
        model_path = bundle.model_path if delegate is None else _edgetpu_model(bundle)
        self._interpreter = load_interpreter(model_path, num_threads, delegate)
        self._input, outputs = _tensors(self._interpreter)
        stored = self._input.stored_bytes(manifest.input.mean, manifest.input.std)
        self._stored_bytes = None if np.array_equal(stored, _BYTES) and stored.dtype == np.uint8 else stored
        self._are_probabilities = manifest.outputs.are_probabilities
        self._logits = _pick(outputs, manifest.outputs.logits, len(self._labels), bundle)
        embedding = manifest.outputs.embedding
        size = manifest.outputs.embedding_size
        self._embedding = None if embedding is None else _pick(outputs, embedding, size, bundle)
        wanted = (1, self._spec.height_px, self._spec.width_px, 3)
        if self._input.shape != wanted:
            raise BundleError(f"{bundle.model_path} takes {self._input.shape}, but its manifest says {wanted}")

    @property
    def labels(self) -> tuple[str, ...]:
        return self._labels

    @property
    def input_spec(self) -> InputSpec:
        return self._spec

    def classify(self, image: Image) -> Prediction:
        logits, embedding, invoke_s = self.infer(image)
        return Prediction(softmax(logits, self._temperature), embedding, invoke_s)

    def infer(self, image: Image) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, float]:
        """Logits (C,), embedding (D,) or None, and the seconds spent in `invoke`."""
        stored: NDArray[np.generic] = image if self._stored_bytes is None else self._stored_bytes[image]
        self._interpreter.set_tensor(self._input.index, stored[None])
        began_s = time.perf_counter()
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise UnavailableError(
                f"the model stopped: {_first_line(error)}; is the accelerator still there?"
            ) from error
        invoke_s = time.perf_counter() - began_s
        logits = self._logits.real(self._interpreter.get_tensor(self._logits.index))
        if self._are_probabilities:
            logits = log_probabilities(logits, self._logits.scale)
        if self._embedding is None:
            return logits, None, invoke_s
        return logits, self._embedding.real(self._interpreter.get_tensor(self._embedding.index)), invoke_s


def log_probabilities(probabilities: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    """Logarithms of (C,) probabilities that were rounded to steps of `step`, 0 where they were not rounded.

    A rounded zero was anything below half a step: the zeros share what the others leave of the whole, so that a
    thousand classes that are not there do not outweigh the one that is.
    """
    is_zero = probabilities < step / 2
    if not is_zero.any():
        return np.log(np.maximum(probabilities, _SMALLEST_PROBABILITY))
    left = (1 - probabilities[~is_zero].sum()) / is_zero.sum()
    return np.log(np.where(is_zero, np.clip(left, step / 100, step / 2), probabilities))


def load_interpreter(model_path: Path, num_threads: int, delegate: str | None = None) -> Interpreter:
    """An allocated interpreter from the first runtime that really works.

    tflite-runtime imports well beside numpy 2 and dies when an interpreter is made, hence the probe is
    to make one.

    Raises:
        MissingLibraryError: neither runtime works.
        UnavailableError: the delegate does not load.
        BundleError: the file is not a model this runtime can run.
    """
    failures: list[str] = []
    for name in RUNTIMES:
        try:
            module = importlib.import_module(name)
        except (ImportError, AttributeError) as error:
            failures.append(f"{name}: {error}")
            continue
        delegates = None if delegate is None else [_load_delegate(module, delegate)]
        try:
            with native_stderr_logged():
                interpreter: Interpreter = module.Interpreter(
                    model_path=str(model_path), num_threads=num_threads, experimental_delegates=delegates
                )
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{model_path} does not load: {_first_line(error)}") from error
        except (ImportError, AttributeError) as error:
            failures.append(f"{name}: {error}")
            continue
        return interpreter
    raise MissingLibraryError(f"no TFLite runtime works here ({'; '.join(failures)}): pip install ai-edge-litert")


def _load_delegate(module: ModuleType, library: str) -> object:
    try:
        ctypes.CDLL(library)  # the runtime's own object complains once more when it goes, if this fails in it
        return module.load_delegate(library)
    except (OSError, ValueError) as error:
        why = str(error).splitlines()[-1]
        raise UnavailableError(
            f"{library} cannot be used: {why}; for a Coral install libedgetpu1-std, and plug it in"
        ) from error


def _edgetpu_model(bundle: Bundle) -> Path:
    if bundle.edgetpu_model_path is None:
        raise BundleError(f"{bundle.short_name} has no model for the EdgeTPU: sorter convert --edgetpu makes one")
    return bundle.edgetpu_model_path


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _tensors(interpreter: Interpreter) -> tuple[_Tensor, list[_Tensor]]:
    inputs = [_Tensor.of(details) for details in interpreter.get_input_details()]
    return inputs[0], [_Tensor.of(details) for details in interpreter.get_output_details()]


def _pick(outputs: list[_Tensor], position: int, size: int | None, bundle: Bundle) -> _Tensor:
    if position >= len(outputs):
        raise BundleError(f"{bundle.model_path} has {len(outputs)} outputs, but its manifest names number {position}")
    found = int(np.prod(outputs[position].shape))
    if size is not None and found != size:
        raise BundleError(f"{bundle.model_path}: output {position} has {found} numbers, but its manifest says {size}")
    return outputs[position]
