"""One layer of an ONNX graph run on its own: the nodes between what it reads and what it gives."""

from collections.abc import Iterator, Mapping
from typing import Any

from onnx import AttributeProto, TensorProto, ValueInfoProto, helper

from weightbridge.errors import RunError
from weightbridge.model.tensors import Array

TYPES = {
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.FLOAT,  # of a float64 run, whose graph is widened as a whole
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
}


def part_of(proto: Any, inputs: Mapping[str, Array], output: str, where: str) -> Any:
    """A model of the nodes that make `output` of these values, its inputs of any length.

    RunError where it reads anything else that is no constant.
    """
    graph = proto.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes, used = _nodes_of(graph, inputs, constants, output, where)
    made = [_input(name, array, where) for name, array in inputs.items() if name in used]
    part = helper.make_graph(
        nodes,
        "layer",
        made,
        [ValueInfoProto(name=output)],
        [constants[name] for name in sorted(used & constants.keys())],
    )
    model: Any = helper.make_model(part, opset_imports=proto.opset_import, ir_version=proto.ir_version)
    model.functions.extend(proto.functions)
    return model


def _nodes_of(
    graph: Any, inputs: Mapping[str, Array], constants: Mapping[str, Any], output: str, where: str
) -> tuple[list[Any], set[str]]:
    """The nodes in the graph's own order, and all values that they read."""
    makers = {value: i for i, node in enumerate(graph.node) for value in node.output if value}
    waiting, used, places = [output], set[str](), set[int]()
    while waiting:
        value = waiting.pop()
        is_given = value in used or value in inputs or value in constants
        used.add(value)
        if is_given:
            continue
        if value not in makers:
            raise RunError(f"what makes {output!r} also reads {value!r}", where=where)
        places.add(makers[value])
        waiting += _read(graph.node[makers[value]])
    return [graph.node[i] for i in sorted(places)], used


def _read(node: Any) -> Iterator[str]:
    """The values that a node reads, in its bodies too; not those that its bodies make themselves."""
    yield from (value for value in node.input if value)
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield from _read_by_body(attribute.g)


def _read_by_body(body: Any) -> Iterator[str]:
    made = {value for node in body.node for value in node.output}
    own = made | {info.name for info in body.input} | {tensor.name for tensor in body.initializer}
    read = [value for node in body.node for value in _read(node)]
    yield from (value for value in (*read, *(o.name for o in body.output)) if value not in own)


def _input(name: str, array: Array, where: str) -> Any:
    dtype = TYPES.get(str(array.dtype))
    if dtype is None:
        raise RunError(f"a layer on its own takes no {array.dtype}", where=where)
    return helper.make_tensor_value_info(name, dtype, [None] * array.ndim)
