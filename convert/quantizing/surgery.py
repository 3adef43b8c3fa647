"""An int8 model with some of its layers in float: what int8 costs too much there is not paid.

The layer takes and gives real numbers, between a DEQUANTIZE and a QUANTIZE where its neighbors are int8. What
it gives as an output of the model stays real.
"""

from __future__ import annotations

import copy
from collections.abc import Collection

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.quantizing.twins import LAYERS, Step, Twins, open_twins, tensor
from convert.tflite.flatbuffer import pack_model, redirect_ends, rescaling_operator, without_unused


def keep_in_float(plain: bytes, quantized: bytes, kept: Collection[int]) -> bytes:
    """The `quantized` model with the steps of these places (`Twins.steps`) as they are in its float twin.

    The same arguments give the same bytes.

    Raises:
        InvalidDataError: the two are not the same network.
    """
    twins = open_twins(plain, quantized)
    surgery = _Surgery(twins, {id(twins.steps[place].quantized): twins.steps[place] for place in kept})
    graph = twins.quantized.subgraphs[0]
    graph.operators = [new for operator in graph.operators for new in surgery.rewritten(operator)]
    redirect_ends(twins.quantized, {int(place): surgery.floats.get(int(place), int(place)) for place in graph.outputs})
    return pack_model(without_unused(twins.quantized))


class _Surgery:
    """Rewrites the operators of the int8 model one by one, in their order.

    `floats` tells for int8 tensors where the same values are in float.
    """

    def __init__(self, twins: Twins, kept: dict[int, Step]) -> None:
        self._twins, self._model, self._kept = twins, twins.quantized, kept
        self.floats: dict[int, int] = {}
        graph = self._model.subgraphs[0]
        staying = (operator for operator in graph.operators if id(operator) not in kept)
        self._wanted = {int(place) for operator in staying for place in operator.inputs}

    def rewritten(self, operator: schema.OperatorT) -> list[schema.OperatorT]:
        """The operator itself, or what stands for it in float."""
        step = self._kept.get(id(operator))
        if step is None:
            return [operator]
        before = [self._rescaling(place) for place in self._activations(step) if place not in self.floats]
        step.quantized.inputs = self._inputs(step)
        step.quantized.builtinOptions = step.plain.builtinOptions
        stored = int(operator.outputs[0])
        self.floats[stored] = self._like(stored)
        step.quantized.outputs = np.array([self.floats[stored]], np.int32)
        after = []
        if stored in self._wanted:
            after = [rescaling_operator(self._model, schema.BuiltinOperator.QUANTIZE, self.floats[stored], stored)]
        return [*before, operator, *after]

    def _activations(self, step: Step) -> list[int]:
        places = step.quantized.inputs if step.kind not in LAYERS else step.quantized.inputs[:1]
        return [int(place) for place in places if self._is_int8_activation(int(place))]

    def _is_int8_activation(self, place: int) -> bool:
        found = tensor(self._model, place)
        return found.type == schema.TensorType.INT8 and self._model.buffers[found.buffer].data is None

    def _rescaling(self, place: int) -> schema.OperatorT:
        self.floats[place] = self._like(place)
        return rescaling_operator(self._model, schema.BuiltinOperator.DEQUANTIZE, place, self.floats[place])

    def _inputs(self, step: Step) -> np.ndarray:
        """What the operator takes in float: real activations, and the constants of the float model."""
        taken = [self.floats.get(int(place), int(place)) for place in step.quantized.inputs]
        if step.kind in LAYERS:
            taken[1:] = [self._constant(int(place)) for place in step.plain.inputs[1:]]
        return np.array(taken, np.int32)

    def _constant(self, place: int) -> int:
        """A constant of the float model, brought over."""
        brought = copy.copy(tensor(self._twins.plain, place))
        self._model.buffers.append(copy.copy(self._twins.plain.buffers[brought.buffer]))
        brought.buffer = len(self._model.buffers) - 1
        return self._add(brought)

    def _like(self, place: int) -> int:
        """A float tensor of the same shape."""
        twin = copy.copy(tensor(self._model, place))
        twin.type, twin.quantization, twin.name = schema.TensorType.FLOAT32, None, twin.name + b"_float"
        return self._add(twin)

    def _add(self, added: schema.TensorT) -> int:
        tensors = self._model.subgraphs[0].tensors
        tensors.append(added)
        return len(tensors) - 1
