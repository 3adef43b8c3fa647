"""Layers that cost too much in int8 are found, named and kept in float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from convert.anatomy import read_anatomy
from convert.network import load_network
from convert.rescue import keep_in_float
from convert.sensitivity import layer_costs
from convert.tflite import Converted, to_tflite
from edge.preprocess import Image, InputSpec, load_picture, to_input
from edge.run import load_run, load_splits

SPEC = InputSpec(32, 32)
NUM_STEPS = 5  # three convolutions, a mean and the logits


@pytest.fixture(scope="module")
def pictures(finished_run: Path) -> list[Image]:
    root = Path(load_run(finished_run).data.root)
    return [to_input(load_picture(root / row.path), SPEC) for row in load_splits(finished_run)]


@pytest.fixture(scope="module")
def twins(finished_run: Path, pictures: list[Image]) -> dict[str, Converted]:
    """The small network, in float and as the converter quantizes it."""
    network = load_network(finished_run, load_run(finished_run), SPEC)
    return {name: to_tflite(network, SPEC, name, pictures) for name in ("float32", "int8")}  # type: ignore[arg-type]


def kept(twins: dict[str, Converted], *places: int) -> bytes:
    return keep_in_float(twins["float32"].model, twins["int8"].model, places)


def names(model: bytes) -> list[str]:
    return [operator.name for operator in read_anatomy(model, Path("model.tflite")).operators]


def logits(converted: Converted, model: bytes, pictures: list[Image]) -> NDArray[np.float64]:
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[converted.outputs.logits]
    scale, zero_point = given["quantization"]
    answers = []
    for picture in pictures:
        interpreter.set_tensor(taken["index"], picture[None].astype(taken["dtype"]))
        interpreter.invoke()
        stored = interpreter.get_tensor(given["index"])[0].astype(np.float64)
        answers.append((stored - zero_point) * scale if scale else stored)
    return np.stack(answers)


def test_one_layer_in_float_stands_between_two_rescalings(twins: dict[str, Converted]) -> None:
    before, after = names(twins["int8"].model), names(kept(twins, 1))

    assert before == ["QUANTIZE", "CONV_2D", "CONV_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED"]
    assert after == [*before[:2], "DEQUANTIZE", "CONV_2D", "QUANTIZE", *before[3:]]


def test_neighbors_in_float_hand_their_values_on_untouched(twins: dict[str, Converted]) -> None:
    assert names(kept(twins, 1, 2)).count("QUANTIZE") == 2  # the input, and after both


def test_all_layers_in_float_answer_as_the_float_twin(twins: dict[str, Converted], pictures: list[Image]) -> None:
    plain, quantized = twins["float32"], twins["int8"]
    given = Interpreter(model_content=quantized.model).get_output_details()[quantized.outputs.logits]
    found = logits(quantized, kept(twins, *range(NUM_STEPS)), pictures)

    # What is left is the rounding of the output itself: half a step, and the rounding of floats.
    assert np.abs(found - logits(plain, plain.model, pictures)).max() <= 0.51 * given["quantization"][0]


def test_no_layer_in_float_changes_nothing(twins: dict[str, Converted], pictures: list[Image]) -> None:
    rebuilt, original = kept(twins), twins["int8"].model

    assert np.array_equal(logits(twins["int8"], rebuilt, pictures), logits(twins["int8"], original, pictures))


def test_ends_stay_as_they_were_and_nothing_unused_is_carried_along(twins: dict[str, Converted]) -> None:
    rescued, original = (Interpreter(model_content=model) for model in (kept(twins, 0, 4), twins["int8"].model))
    used = read_anatomy(kept(twins, 0, 4), Path("model.tflite"))

    for ends in ("get_input_details", "get_output_details"):
        assert [(tuple(end["shape"]), end["dtype"], end["quantization"]) for end in getattr(rescued, ends)()] == [
            (tuple(end["shape"]), end["dtype"], end["quantization"]) for end in getattr(original, ends)()
        ]
    named = {place for operator in used.operators for place in (*operator.inputs, *operator.outputs)}
    assert named | set(used.inputs) | set(used.outputs) >= set(range(len(used.tensors)))


def test_the_same_layers_give_the_same_bytes(twins: dict[str, Converted]) -> None:
    assert kept(twins, 1, 3) == kept(twins, 3, 1)


def test_every_layer_is_named_with_what_it_costs_the_costliest_first(
    twins: dict[str, Converted], pictures: list[Image]
) -> None:
    costs = layer_costs(twins["float32"].model, twins["int8"].model, twins["int8"].outputs.logits, pictures)

    assert {cost.name for cost in costs} == {"conv2d", "conv2d_1", "conv2d_2", "pool", "logits"}, costs
    assert [cost.error for cost in costs] == sorted((cost.error for cost in costs), reverse=True)
    assert sum(cost.share for cost in costs) == pytest.approx(1, abs=0.001)
