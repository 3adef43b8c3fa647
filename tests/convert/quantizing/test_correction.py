from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from convert.network import load_network
from convert.quantizing.correction import open_correction, round_weights
from convert.quantizing.ranges import best_range
from convert.quantizing.twins import CONV, DENSE, constants, kind_of, open_twins, scales, tensor
from convert.tflite.converter import Converted, to_tflite
from convert.tflite.flatbuffer import pack_model, unpack_model
from edge.errors import InvalidDataError
from edge.preprocess import Image, InputSpec, load_picture, to_input
from edge.run import load_run, load_splits

SPEC = InputSpec(32, 32)

T = TypeVar("T")


@pytest.fixture(scope="module")
def pictures(finished_run: Path) -> dict[str, list[Image]]:
    root = Path(load_run(finished_run).data.root)
    rows = load_splits(finished_run)
    return {
        split: [to_input(load_picture(root / row.path), SPEC) for row in rows if row.split == split]
        for split in ("train", "val")
    }


@pytest.fixture(scope="module")
def twins(finished_run: Path, pictures: dict[str, list[Image]]) -> dict[str, Converted]:
    """The small network, in float and as the converter quantizes it."""
    network = load_network(finished_run, load_run(finished_run), SPEC)
    return {name: to_tflite(network, SPEC, name, pictures["train"]) for name in ("float32", "int8")}  # type: ignore[arg-type]


def test_rounding_in_turn_keeps_outputs_nearer_than_rounding_each_weight_alone() -> None:
    chance = np.random.default_rng(0)
    num_inputs, num_filters = 9, 40
    shared = chance.normal(size=(5000, 1))  # what neighbouring pixels have in common
    inputs = shared + 0.2 * chance.normal(size=(5000, num_inputs))
    weights = chance.normal(size=(1, num_filters, num_inputs))
    steps = np.abs(weights).max(axis=2) / 7  # coarse, so that rounding matters
    rounded = round_weights(weights, steps, np.cov(inputs.T)[None])

    def error(whole: NDArray[np.float64]) -> float:
        difference = (weights - whole * steps[..., None])[0] @ inputs.T
        return float((difference**2).mean())

    assert np.array_equal(rounded, np.rint(rounded))
    assert error(rounded) < error(np.rint(weights / steps[..., None])) / 2


def test_rounding_in_turn_is_what_gptq_says() -> None:
    """As the paper derives it, with an inverse for each place; here are more places than go in a block."""
    chance = np.random.default_rng(0)
    num_inputs, num_filters = 300, 20
    inputs = np.maximum(chance.normal(size=(1000, num_inputs)) + chance.normal(size=(1000, 1)), 0)
    weights = chance.normal(size=(num_filters, num_inputs))
    steps = np.abs(weights).max(axis=1) / 127
    covariance = np.cov(inputs.T)
    damped = covariance + 0.01 * np.trace(covariance) / num_inputs * np.eye(num_inputs)

    remaining, expected = weights.copy(), np.empty_like(weights)
    for place in range(num_inputs):
        inverse = np.linalg.inv(damped[place:, place:])
        expected[:, place] = np.rint(remaining[:, place] / steps).clip(-127, 127)
        error = remaining[:, place] - expected[:, place] * steps
        remaining[:, place:] -= error[:, None] * inverse[0] / inverse[0, 0]

    assert np.array_equal(round_weights(weights[None], steps[None], covariance[None])[0], expected)


def test_rounding_in_turn_stays_within_int8() -> None:
    weights = np.array([[[1.0, 0.4, -1.0]]])
    rounded = round_weights(weights, np.array([[1 / 127]]), np.ones((1, 3, 3)))

    assert np.abs(rounded).max() <= 127


def test_inputs_that_never_vary_round_to_the_nearest_step() -> None:
    weights = np.array([[[0.26, -0.74]]])

    assert round_weights(weights, np.array([[0.5]]), np.zeros((1, 2, 2))).tolist() == [[[1.0, -1.0]]]


def test_a_range_shrinks_where_only_a_few_values_are_far_out() -> None:
    edges = np.linspace(-50, 50, 2049)
    centers = (edges[:-1] + edges[1:]) / 2
    bell = 1e6 * np.exp(-(centers**2) / 8)
    scale, _ = best_range(edges, bell + (np.abs(centers) > 49))

    assert scale < 0.5 * 100 / 255


def test_a_range_that_is_used_evenly_stays() -> None:
    edges = np.linspace(-1, 3, 2049)
    scale, zero_point = best_range(edges, np.ones(2048))

    assert scale == pytest.approx(4 / 255)
    assert zero_point == -64  # zero lies a quarter up the range


def test_the_same_model_and_pictures_give_the_same_bytes(
    twins: dict[str, Converted], pictures: dict[str, list[Image]]
) -> None:
    rough = twins["int8"].model
    corrections = [open_correction(twins["float32"].model, rough, pictures["train"]) for _ in range(2)]

    assert corrections[0].of(rough) == corrections[0].of(rough) == corrections[1].of(rough) != rough


def test_looking_at_the_layers_tells_how_far_it_got(
    twins: dict[str, Converted], pictures: dict[str, list[Image]]
) -> None:
    told = []

    def progress(things: Sequence[T], title: str, /) -> Iterator[T]:
        for thing in things:
            told.append(title)
            yield thing

    shown = pictures["train"][:3]
    open_correction(twins["float32"].model, twins["int8"].model, shown, progress=progress)

    assert told == ["ranges of the layers"] * 3 + ["inputs of the layers"] * 3


def test_ends_and_operators_stay_as_they_were(twins: dict[str, Converted], pictures: dict[str, list[Image]]) -> None:
    rough = twins["int8"].model
    better = open_correction(twins["float32"].model, rough, pictures["train"]).of(rough)

    assert ends(better) == ends(rough)
    assert operators(better) == operators(rough)


def test_a_model_of_another_network_is_refused(twins: dict[str, Converted], pictures: dict[str, list[Image]]) -> None:
    other = schema.ModelT.InitFromPackedBuf(twins["float32"].model)
    other.subgraphs[0].operators.pop()
    other.subgraphs[0].outputs = other.subgraphs[0].operators[-1].outputs

    with pytest.raises(InvalidDataError, match="other layers than the float model"):
        open_correction(pack_model(other), twins["int8"].model, pictures["train"])


def test_a_dead_filter_still_gives_its_bias(finished_run: Path, pictures: dict[str, list[Image]]) -> None:
    network = load_network(finished_run, load_run(finished_run), SPEC)
    second = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)][1]
    kernel, bias = second.get_weights()
    kernel[..., 0], bias[0] = 1e-9, 2.5
    second.set_weights([kernel, bias])
    plain, rough = (to_tflite(network, SPEC, name, pictures["train"]).model for name in ("float32", "int8"))
    model = unpack_model(open_correction(plain, rough, pictures["train"]).of(rough))

    layer = [step for step in model.subgraphs[0].operators if kind_of(model, step) == CONV][1]
    given = tensor(model, int(layer.outputs[0])).quantization
    stored = constants(model, int(layer.inputs[2]), np.int32)[0] * scales(model, int(layer.inputs[2]))[0]
    assert stored == pytest.approx(2.5, rel=1e-6)
    # Less than that, and TFLite's reference kernels take the product of scales for nothing.
    assert scales(model, int(layer.inputs[2]))[0] / given.scale[0] >= 2**-31


def test_activations_that_hardly_vary_are_corrected(finished_run: Path, pictures: dict[str, list[Image]]) -> None:
    network = load_network(finished_run, load_run(finished_run), SPEC)
    last = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)][-1]
    kernel, bias = last.get_weights()
    last.set_weights([1e-6 * kernel, np.linspace(0.1, 5.9, len(bias), dtype=np.float32)])
    plain, rough = (to_tflite(network, SPEC, name, pictures["train"]).model for name in ("float32", "int8"))
    correction = open_correction(plain, rough, pictures["train"])

    assert ends(correction.of(rough)) == ends(rough)
    for seen in correction.seen.values():
        variances = np.linalg.eigvalsh(seen.covariance())
        assert variances.min() > -1e-6 * variances.max()  # none is negative, but for the last digits


def test_a_layer_behind_flattened_maps_is_rounded_to_the_nearest_and_its_bias_corrected() -> None:
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 3), name="image")
    maps = keras.layers.Conv2D(9, 3, padding="same", activation="relu")(image)  # 9216 features
    logits = keras.layers.Dense(2, bias_initializer="ones", name="logits")(keras.layers.Flatten()(maps))
    embedding = keras.layers.GlobalAveragePooling2D(name="pool")(maps)
    network = keras.Model(image, {"logits": logits, "embedding": embedding})
    noise = list(np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8))
    plain, rough = (to_tflite(network, SPEC, name, noise).model for name in ("float32", "int8"))
    twins = open_twins(plain, open_correction(plain, rough, noise).of(rough))

    (dense,) = (step for step in twins.steps if step.kind == DENSE)
    (_, ours, _), (_, theirs, bias) = dense.plain.inputs, dense.quantized.inputs
    steps = scales(twins.quantized, theirs)[..., None]
    weights = constants(twins.plain, ours, np.float32)
    assert constants(twins.quantized, theirs, np.int8) == pytest.approx(np.rint(weights / steps), abs=0)
    biases = constants(twins.quantized, bias, np.int32) * scales(twins.quantized, bias)
    assert np.abs(biases - 1).max() > 1e-3  # takes what rounding left


def test_a_layer_without_a_bias_is_rounded_in_turn() -> None:
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 3), name="image")
    maps = keras.layers.Conv2D(8, 3, strides=4, activation="relu")(image)
    embedding = keras.layers.GlobalAveragePooling2D(name="pool")(maps)
    logits = keras.layers.Dense(5, use_bias=False, name="logits")(embedding)
    network = keras.Model(image, {"logits": logits, "embedding": embedding})
    noise = list(np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8))
    plain, rough = (to_tflite(network, SPEC, name, noise).model for name in ("float32", "int8"))
    better = open_correction(plain, rough, noise).of(rough)

    (before,), (after,) = (
        [step for step in open_twins(plain, one).steps if step.kind == DENSE] for one in (rough, better)
    )
    assert before.quantized.inputs[2] == after.quantized.inputs[2] == -1
    assert ends(better) == ends(rough)


def ends(model: bytes) -> list[tuple[object, ...]]:
    interpreter = Interpreter(model_content=model)
    details = interpreter.get_input_details() + interpreter.get_output_details()
    return [(tuple(found["shape"]), found["dtype"], found["quantization"]) for found in details]


def operators(model: bytes) -> list[int]:
    return [step.opcodeIndex for step in schema.ModelT.InitFromPackedBuf(model).subgraphs[0].operators]
