from __future__ import annotations

import numpy as np
import pytest

from convert.tflite.interpreter import open_interpreter
from edge.bundle import Bundle


def test_an_interpreter_is_ready_and_says_nothing(int8_bundle: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    model = (int8_bundle.path / "model.tflite").read_bytes()
    for keeps_all in (False, True):
        interpreter = open_interpreter(model, keeps_all=keeps_all)
        place = interpreter.get_input_details()[0]
        interpreter.set_tensor(place["index"], np.zeros(place["shape"], np.uint8))
        interpreter.invoke()
    assert capfd.readouterr() == ("", "")
