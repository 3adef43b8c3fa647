"""An int8 model beside its float twin: the same steps, and what goes through the float one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from convert.tflite.flatbuffer import pack_model, unpack_model
from convert.tflite.interpreter import open_interpreter
from edge.errors import InvalidDataError

Floats = NDArray[np.float64]
Activation = Callable[[int], NDArray[np.float32]]
"""The value of one of the float model's tensors, by its index."""

CONV, DEPTHWISE, DENSE, ADD, MEAN = (
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.FULLY_CONNECTED,
    schema.BuiltinOperator.ADD,
    schema.BuiltinOperator.MEAN,
)
LAYERS = frozenset({CONV, DEPTHWISE, DENSE})

# These take and give any scale; what else there is (pooling, reshaping) wants the same on both sides.
RESCALING = LAYERS | {ADD, MEAN}


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step of both models: its kind, and the same operator in each."""

    kind: int
    plain: schema.OperatorT
    quantized: schema.OperatorT


@dataclass(frozen=True, slots=True, eq=False)
class Twins:
    """Two unpacked models, both free to be changed, and the steps of `RESCALING` that they share."""

    plain: schema.ModelT
    quantized: schema.ModelT
    steps: tuple[Step, ...]

    def activations(self, pictures: Iterable[NDArray[np.float32]]) -> Iterator[Activation]:
        """Run the float model on each picture, as it expects it.

        What is yielded tells what the steps take and give, until the next.
        """
        interpreter = open_interpreter(self._all_told())
        place = interpreter.get_input_details()[0]["index"]
        for picture in pictures:
            interpreter.set_tensor(place, picture[None])
            interpreter.invoke()
            yield interpreter.get_tensor

    def _all_told(self) -> bytes:
        """The float model with every activation of its steps as an output, so that it runs on fast kernels."""
        graph, signatures = self.plain.subgraphs[0], self.plain.signatureDefs
        outputs = graph.outputs
        told = {int(place) for step in self.steps for place in (step.plain.inputs[0], *step.plain.outputs)}
        try:
            graph.outputs = np.array(sorted(told - {int(place) for place in graph.inputs}), np.int32)
            self.plain.signatureDefs = None
            return pack_model(self.plain)
        finally:
            graph.outputs, self.plain.signatureDefs = outputs, signatures


def open_twins(plain: bytes, quantized: bytes) -> Twins:
    """Both models, matched step by step.

    Raises:
        InvalidDataError: they are not the same network.
    """
    reference, model = (unpacked(content) for content in (plain, quantized))
    ours, theirs = _rescaling(reference), _rescaling(model)
    if [_shape(reference, step) for step in ours] != [_shape(model, step) for step in theirs]:
        raise InvalidDataError("the int8 model has other layers than the float model: nothing to correct it by")
    steps = (Step(kind_of(reference, one), one, other) for one, other in zip(ours, theirs, strict=True))
    return Twins(reference, model, tuple(steps))


def step_names(plain: bytes) -> list[str]:
    """The name of the tensor that each step of a float model makes, in the order of `Twins.steps`."""
    model = unpacked(plain)
    return [tensor(model, int(step.outputs[0])).name.decode() for step in _rescaling(model)]


def activation_names(plain: bytes) -> frozenset[str]:
    """The names of a float model's tensors that depend on the picture."""
    model = unpack_model(plain)
    tensors = model.subgraphs[0].tensors
    return frozenset(found.name.decode() for found in tensors if model.buffers[found.buffer].data is None)


def with_takers(plain: bytes, places: Collection[int]) -> frozenset[int]:
    """The steps of these places, and those that take what they make."""
    model = unpacked(plain)
    steps = _rescaling(model)
    made = {int(steps[place].outputs[0]) for place in places}
    takers = {place for place, step in enumerate(steps) if made & set(map(int, step.inputs))}
    return frozenset(places) | takers


def constants(model: schema.ModelT, index: int, dtype: type[np.generic]) -> Floats:
    """A constant tensor's numbers as they are stored."""
    content = np.asarray(model.buffers[tensor(model, index).buffer].data, np.uint8).tobytes()
    return np.frombuffer(content, dtype).reshape(tensor(model, index).shape).astype(np.float64)


def replace_constants(model: schema.ModelT, index: int, values: Floats, dtype: type[np.generic]) -> None:
    """Store other numbers in a constant tensor."""
    model.buffers[tensor(model, index).buffer].data = np.frombuffer(values.astype(dtype).tobytes(), np.uint8)


def tensor(model: schema.ModelT, index: int) -> schema.TensorT:
    """A tensor of the first subgraph."""
    return model.subgraphs[0].tensors[index]


def scales(model: schema.ModelT, index: int) -> Floats:
    """The quantization scale of a tensor, or of each of its channels."""
    return np.asarray(tensor(model, index).quantization.scale, np.float64)


def unpacked(content: bytes) -> schema.ModelT:
    """A model whose steps share no constants, so that one may change without the other."""
    model = unpack_model(content)
    graph, seen = model.subgraphs[0], set[int]()
    for step in graph.operators:
        step.inputs = list(map(int, step.inputs))  # unpacked, it is a view of the file
        for position, place in enumerate(step.inputs):
            if place < 0 or model.buffers[graph.tensors[place].buffer].data is None:
                continue
            if graph.tensors[place].buffer in seen:
                graph.tensors.append(copy.deepcopy(graph.tensors[place]))
                model.buffers.append(copy.deepcopy(model.buffers[graph.tensors[place].buffer]))
                graph.tensors[-1].buffer = len(model.buffers) - 1
                step.inputs[position] = len(graph.tensors) - 1
            seen.add(graph.tensors[int(step.inputs[position])].buffer)
    return model


def _rescaling(model: schema.ModelT) -> list[schema.OperatorT]:
    """The steps that rescale, without the addition of a constant by which the input itself is rescaled."""
    return [step for step in model.subgraphs[0].operators if _is_rescaling(model, step)]


def _is_rescaling(model: schema.ModelT, step: schema.OperatorT) -> bool:
    kind = kind_of(model, step)
    has_constant = any(model.buffers[tensor(model, index).buffer].data is not None for index in step.inputs)
    return kind in RESCALING and not (kind == ADD and has_constant)


def kind_of(model: schema.ModelT, step: schema.OperatorT) -> int:
    """What an operator is, as `schema.BuiltinOperator` numbers it."""
    return int(model.operatorCodes[step.opcodeIndex].builtinCode)


def _shape(model: schema.ModelT, step: schema.OperatorT) -> tuple[int, ...]:
    index = step.inputs[1] if kind_of(model, step) in LAYERS else step.outputs[0]
    return (kind_of(model, step), *map(int, tensor(model, index).shape))
