"""TFLite models that are still in memory, opened without the runtime's own words on stderr."""

from __future__ import annotations

import warnings

from ai_edge_litert.interpreter import Interpreter

from edge.host.native import native_stderr_logged


def open_interpreter(model: bytes, *, keeps_all: bool = False) -> Interpreter:
    """An allocated interpreter. With `keeps_all` every tensor can be read after a run, which then takes slower kernels.

    Raises:
        ValueError, RuntimeError: the runtime cannot run the model.
    """
    with native_stderr_logged(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that looking inside costs memory
        interpreter = Interpreter(model_content=model, experimental_preserve_all_tensors=keeps_all)
        interpreter.allocate_tensors()
    return interpreter
