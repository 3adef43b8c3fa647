"""Layers that cost too much in int8 are found, named and kept in float or int16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from convert.network import load_network
from convert.quantizing.correction import open_correction
from convert.quantizing.mixed import MixedQuantizer, Wide, open_mixed_quantizer
from convert.quantizing.rescue import rescue_steps
from convert.quantizing.sensitivity import LayerCost, layer_costs
from convert.quantizing.surgery import keep_in_float
from convert.tflite.anatomy import read_anatomy
from convert.tflite.converter import Converted, to_tflite
from convert.tflite.flatbuffer import unpack_model
from convert.tflite.rescaling import inside_rescaling
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


@pytest.fixture(scope="module")
def quantizer(finished_run: Path, pictures: list[Image]) -> MixedQuantizer:
    """LiteRT's own, on the network behind its rescaling."""
    inner = inside_rescaling(load_network(finished_run, load_run(finished_run), SPEC))
    return open_mixed_quantizer(to_tflite(inner.network, SPEC, "float32", ()).model, inner.expects, pictures)


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
    found = logits(quantized, kept(twins, *range(NUM_STEPS)), pictures)

    assert found == pytest.approx(logits(plain, plain.model, pictures), abs=1e-4)  # sums of floats in another order


def test_no_layer_in_float_changes_nothing(twins: dict[str, Converted], pictures: list[Image]) -> None:
    rebuilt, original = kept(twins), twins["int8"].model

    assert np.array_equal(logits(twins["int8"], rebuilt, pictures), logits(twins["int8"], original, pictures))


def test_ends_that_are_not_kept_stay_as_they_were_and_nothing_unused_is_carried_along(
    twins: dict[str, Converted],
) -> None:
    rescued, original = (Interpreter(model_content=model) for model in (kept(twins, 0, 2), twins["int8"].model))
    used = read_anatomy(kept(twins, 0, 2), Path("model.tflite"))

    for ends in ("get_input_details", "get_output_details"):
        assert [(tuple(end["shape"]), end["dtype"], end["quantization"]) for end in getattr(rescued, ends)()] == [
            (tuple(end["shape"]), end["dtype"], end["quantization"]) for end in getattr(original, ends)()
        ]
    named = {place for operator in used.operators for place in (*operator.inputs, *operator.outputs)}
    assert named | set(used.inputs) | set(used.outputs) >= set(range(len(used.tensors)))


def test_logits_of_a_layer_in_float_are_not_rounded(twins: dict[str, Converted]) -> None:
    rescued, place = Interpreter(model_content=kept(twins, 4)), twins["int8"].outputs.logits
    logits_type = rescued.get_signature_runner().get_output_details()["logits"]["dtype"]

    assert (rescued.get_output_details()[place]["dtype"], logits_type) == (np.float32, np.float32)


def test_the_same_layers_give_the_same_bytes(twins: dict[str, Converted]) -> None:
    assert kept(twins, 1, 3) == kept(twins, 3, 1)


def test_every_layer_is_named_with_what_it_costs_the_costliest_first(
    twins: dict[str, Converted], pictures: list[Image]
) -> None:
    costs = layer_costs(twins["float32"].model, twins["int8"].model, twins["int8"].outputs.logits, pictures)

    assert {cost.name for cost in costs} == {"conv2d", "conv2d_1", "conv2d_2", "pool", "logits"}, costs
    assert [cost.error for cost in costs] == sorted((cost.error for cost in costs), reverse=True)
    assert sum(cost.share for cost in costs) == pytest.approx(1, abs=0.001)


def test_the_costliest_layers_come_first_with_those_that_take_their_values(twins: dict[str, Converted]) -> None:
    costs = [LayerCost(place, str(place), 1.0, 0.2) for place in (1, 4, 0, 2, 3)]
    steps = [{cost.place for cost in step} for step in rescue_steps(twins["float32"].model, costs)]

    assert steps == [{1, 2}]  # then {1, 2, 4}, more than half of five


@pytest.mark.parametrize(
    ("wide", "places", "expected"),
    [
        ("float", [], ["CONV_2D", "CONV_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED"]),
        ("float", [1], ["CONV_2D", "DEQUANTIZE", "CONV_2D", "QUANTIZE", "CONV_2D", "MEAN", "FULLY_CONNECTED"]),
        ("int16", [1, 2], ["CONV_2D", "QUANTIZE", "CONV_2D", "CONV_2D", "QUANTIZE", "MEAN", "FULLY_CONNECTED"]),
        ("float", [4], ["CONV_2D", "CONV_2D", "CONV_2D", "MEAN", "DEQUANTIZE", "FULLY_CONNECTED"]),
        ("int16", [3, 4], ["CONV_2D", "CONV_2D", "CONV_2D", "QUANTIZE", "MEAN", "FULLY_CONNECTED"]),
    ],
)
def test_the_quantizer_of_litert_keeps_the_named_layers_and_takes_bytes(
    quantizer: MixedQuantizer, wide: Wide, places: list[int], expected: list[str]
) -> None:
    model = quantizer.quantize(places, wide)
    taken = Interpreter(model_content=model).get_input_details()[0]

    assert names(model) == ["QUANTIZE", *expected]
    assert (taken["dtype"], taken["quantization"]) == (np.uint8, (1 / 128, 127))
    assert model == quantizer.quantize(places, wide)


def test_the_quantizer_of_litert_gives_each_filter_a_scale_of_its_own(quantizer: MixedQuantizer) -> None:
    tensors = unpack_model(quantizer.quantize([], "float")).subgraphs[0].tensors
    filters = [
        tensor for tensor in tensors if tensor.shape is not None and len(tensor.shape) == 4 and tensor.shape[0] > 1
    ]

    assert [len(tensor.quantization.scale) for tensor in filters] == [tensor.shape[0] for tensor in filters]
    assert len(filters) == 3


@pytest.mark.parametrize("wide", ["float", "int16"])
def test_more_room_brings_the_answers_nearer_and_for_all_layers_to_the_float_twin(
    twins: dict[str, Converted], quantizer: MixedQuantizer, pictures: list[Image], wide: Wide
) -> None:
    plain, int8 = twins["float32"], twins["int8"]
    correction = open_correction(plain.model, int8.model, pictures)

    def error(*places: int) -> float:
        model = correction.of(quantizer.quantize(places, wide))
        return float(np.abs(logits(int8, model, pictures) - logits(plain, plain.model, pictures)).mean())

    all_in_int8, last_two, everything = error(), error(3, 4), error(*range(NUM_STEPS))
    assert everything < all_in_int8 / 3  # weights of int8 stay where activations have 16 bits
    assert last_two < all_in_int8 / 2  # the rounding of the logits themselves is most of it here


def test_an_embedding_that_the_last_layer_takes_stays_int8_when_only_it_is_kept(quantizer: MixedQuantizer) -> None:
    """The quantizer alone would hand a float to an int8 layer, and the model would not load."""
    Interpreter(model_content=quantizer.quantize([3], "float")).allocate_tensors()
