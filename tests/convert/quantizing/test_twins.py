"""Two graphs of one network, held side by side."""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema

from convert.quantizing.twins import unpacked
from convert.tflite.flatbuffer import pack_model
from edge.bundle import DEFAULT_BUNDLE, MODEL


def test_steps_that_shared_a_constant_have_one_each() -> None:
    """The converter stores equal biases once; changing one of them must not change the other."""
    model = schema.ModelT.InitFromPackedBuf((DEFAULT_BUNDLE / MODEL).read_bytes())
    graph = model.subgraphs[0]
    with_bias = [step for step in graph.operators if len(step.inputs) == 3]
    first = with_bias[0]
    shape = list(graph.tensors[first.inputs[2]].shape)
    second = next(step for step in with_bias[1:] if list(graph.tensors[step.inputs[2]].shape) == shape)
    second.inputs = [int(second.inputs[0]), int(second.inputs[1]), int(first.inputs[2])]
    again = unpacked(pack_model(model))
    steps = [step for step in again.subgraphs[0].operators if len(step.inputs) == 3]
    places = [step.inputs[2] for step in steps]
    assert len(set(places)) == len(places)
    buffers = [again.subgraphs[0].tensors[place].buffer for place in places]
    assert len(set(buffers)) == len(buffers)
