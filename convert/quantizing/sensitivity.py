"""Which layers cost an int8 model its answers: each layer in int8 alone, in a network that is float elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convert.proof.held_out import Progress, silently
from convert.quantizing.surgery import keep_in_float
from convert.quantizing.twins import ADD, MEAN, Step, Twins, open_twins, tensor
from convert.tflite.interpreter import open_interpreter
from edge.preprocess import Image

NUM_PICTURES = 12  # the order of the layers settles with few


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One layer: its place among `Twins.steps`, its name, and its share of the squared error of all, 0..1.

    `error` is the root mean square by which the logits move when it alone is int8.
    """

    place: int
    name: str
    error: float
    share: float

    def __str__(self) -> str:
        return f"{self.name} ({self.share:.0%} of the error)"


def layer_costs(
    plain: bytes, quantized: bytes, output: int, pictures: Sequence[Image], progress: Progress = silently
) -> tuple[LayerCost, ...]:
    """Every layer, the costliest first; `output` is the position of the logits. Takes a second a layer.

    Raises:
        InvalidDataError: the two are not the same network.
    """
    twins = open_twins(plain, quantized)
    chosen = pictures[:: max(1, len(pictures) // NUM_PICTURES)]
    places = range(len(twins.steps))
    in_float = _answers(keep_in_float(plain, quantized, places), output, chosen)
    errors = []
    for place in progress(places, "layers"):
        answers = _answers(keep_in_float(plain, quantized, set(places) - {place}), output, chosen)
        errors.append(float(np.sqrt(((answers - in_float) ** 2).mean())))
    total = max(sum(error**2 for error in errors), np.finfo(float).tiny)
    costs = [
        LayerCost(place, _name(twins, step), round(error, 5), round(error**2 / total, 4))
        for place, step, error in zip(places, twins.steps, errors, strict=True)
    ]
    return tuple(sorted(costs, key=lambda cost: (-cost.error, cost.place)))


def _answers(model: bytes, output: int, pictures: Sequence[Image]) -> NDArray[np.float64]:
    """The output's real numbers for pictures as bytes, (N, C)."""
    interpreter = open_interpreter(model)
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[output]
    scale, zero_point = given["quantization"]
    answers = []
    for picture in pictures:
        interpreter.set_tensor(taken["index"], picture[None])
        interpreter.invoke()
        stored = interpreter.get_tensor(given["index"])[0].astype(np.float64)
        answers.append((stored - zero_point) * scale if scale else stored)
    return np.stack(answers)


def _name(twins: Twins, step: Step) -> str:
    """The Keras layer by which the converter named the weights, or what comes out of the step.

    Such names read `model_1/stem_conv_1/convolution;model_1/stem_bn_1/…`, or `model_1/pool_1/Mean/axes`.
    """
    place = step.plain.outputs[0] if step.kind == ADD else step.plain.inputs[1]
    parts = tensor(twins.plain, int(place)).name.decode(errors="replace").split(";")[0].split("/")
    above = 3 if step.kind == MEAN else 2
    return re.sub(r"_\d+$", "", parts[-above] if len(parts) >= above else parts[0])
