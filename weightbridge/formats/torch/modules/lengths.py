"""Lengths of axes that a traced graph asks for though they are known: all but that of the batch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

ROUNDS = 6  # a length that is found may tell the shape that the next one is asked of
BIG = 1 << 12  # elements of a weight whose numbers tell no shape
PARTS = ("Gather", "Slice")
Dims = Mapping[str, tuple[int | None, ...]]


def known_lengths(proto: Any) -> dict[str, Any]:
    """The values that are lengths of known axes, by name: of Shape, and of a Gather or Slice behind it."""
    numbers, shapes = constants_of(proto), _shapes(proto)
    parts = (node for node in proto.graph.node if node.op_type in PARTS and node.input[0] in shapes)
    taken = {node.output[0]: _part(node, shapes[node.input[0]], numbers) for node in parts}
    whole = {name: _known(shape, np.arange(len(shape))) for name, shape in shapes.items()}
    return {name: lengths for name, lengths in {**whole, **taken}.items() if lengths is not None}


def _shapes(proto: Any) -> Dims:
    """The lengths that each Shape gives, None for one that is open."""
    dims = dims_of(proto)
    nodes = (node for node in proto.graph.node if node.op_type == "Shape" and not node.attribute)
    return {node.output[0]: dims[node.input[0]] for node in nodes if node.input[0] in dims}


def _part(node: Any, shape: tuple[int | None, ...], numbers: Mapping[str, Any]) -> Any:
    """What it takes of a shape; None where that is not known."""
    names = [name for name in node.input[1:] if name]
    if not names or not numbers.keys() >= set(names):
        return None
    told = [numbers[name] for name in names]
    places = np.arange(len(shape))
    if node.op_type == "Gather":
        return _known(shape, places[told[0]])
    start, stop = (int(one.reshape(-1)[0]) for one in told[:2])
    step = int(told[3].reshape(-1)[0]) if len(told) > 3 else 1
    return _known(shape, places[start:stop:step])


def _known(shape: tuple[int | None, ...], places: Any) -> Any:
    lengths = [shape[int(place)] for place in places.reshape(-1)]
    return None if None in lengths else np.array(lengths, np.int64).reshape(places.shape)


def constants_of(proto: Any) -> dict[str, Any]:
    """The values of Constant nodes, by name."""
    nodes = (node for node in proto.graph.node if node.op_type == "Constant")
    told = ((node.output[0], attribute) for node in nodes for attribute in node.attribute)
    return {name: onnx.numpy_helper.to_array(one.t) for name, one in told if one.name == "value"}


def dims_of(proto: Any) -> Dims:
    """By value: its lengths, None for one that is open. Weights are not looked into."""
    told = onnx.shape_inference.infer_shapes(_without_weights(proto), data_prop=True).graph
    known = {info.name: _lengths(info.type.tensor_type) for info in (*told.input, *told.value_info)}
    return {name: lengths for name, lengths in known.items() if lengths is not None}


def _without_weights(proto: Any) -> Any:
    """The same model whose larger weights are inputs: names and shapes alone."""
    graph = proto.graph
    large = [tensor for tensor in graph.initializer if np.prod(tensor.dims) > BIG]
    names = {tensor.name for tensor in large}
    inputs = [info for info in graph.input if info.name not in names]
    told = [onnx.helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in graph.initializer]
    kept = [tensor for tensor in graph.initializer if tensor.name not in names]
    bare = onnx.helper.make_graph(graph.node, "lengths", [*inputs, *told], graph.output, kept)
    return onnx.helper.make_model(bare, opset_imports=proto.opset_import, ir_version=proto.ir_version)


def _lengths(told: Any) -> tuple[int | None, ...] | None:
    if not told.HasField("shape"):
        return None
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in told.shape.dim)
