"""What of an exported file is no weight: written as plain numbers, so that no reader takes it for one."""

from collections.abc import Iterator, Set
from itertools import chain
from math import prod
from pathlib import Path
from typing import Any

import onnx

LARGEST = 1 << 16  # elements
WEIGHTED = frozenset({
    "Conv", "ConvTranspose", "Gemm", "MatMul", "Gather", "LSTM", "GRU", "RNN", "PRelu", "BatchNormalization",
    "InstanceNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization",
    "Resize", "Upsample", "Pad", "Clip", "Dropout", "Tile", "OneHot", "Range",
})  # fmt: skip  # what they read is a layer's own, trained or not
VIEWS = frozenset({
    "Slice", "Unsqueeze", "Squeeze", "Reshape", "Transpose", "Expand", "Cast", "Identity", "Flatten", "Split",
})  # fmt: skip


def put_numbers(path: Path, weights: Set[str]) -> None:
    """Constants and buffers that are floats of several elements. weights: the names of what is trained."""
    proto = onnx.load(path)
    graph = proto.graph
    own = _of_layers(graph)
    buffers = [
        tensor for tensor in graph.initializer if tensor.name not in weights | own and _is_table(tensor)
    ]
    constants = [(node.output[0], tensor) for node in graph.node for tensor in _tables(node, own)]
    tables = [*((tensor.name, tensor) for tensor in buffers), *constants]
    if not tables:
        return
    for tensor in buffers:
        graph.initializer.remove(tensor)
    gone = {name for name, _ in constants}
    kept = [node for node in graph.node if not gone & set(node.output)]
    del graph.node[:]
    graph.node.extend([*chain.from_iterable(_written(*table) for table in tables), *kept])
    onnx.save(proto, path)


def _of_layers(graph: Any) -> set[str]:
    """The values that a layer with weights reads, through views as well."""
    own: set[str] = set()
    for node in reversed(graph.node):
        if node.op_type in WEIGHTED or (node.op_type in VIEWS and own & set(node.output)):
            own.update(node.input)
    return own


def _tables(node: Any, own: Set[str]) -> Iterator[Any]:
    if node.op_type == "Constant" and node.output[0] not in own:
        values = (attribute.t for attribute in node.attribute if attribute.name == "value")
        yield from filter(_is_table, values)


def _is_table(tensor: Any) -> bool:
    return bool(tensor.data_type == onnx.TensorProto.FLOAT and 1 < prod(tensor.dims) <= LARGEST)


def _written(name: str, tensor: Any) -> tuple[Any, ...]:
    """A list of numbers, which no exporter writes a weight as, and its shape."""
    values = onnx.numpy_helper.to_array(tensor).reshape(-1).tolist()
    flat = onnx.helper.make_node("Constant", [], [f"{name}/numbers"], value_floats=values)
    shape = onnx.helper.make_node("Constant", [], [f"{name}/shape"], value_ints=list(tensor.dims))
    whole = onnx.helper.make_node("Reshape", [f"{name}/numbers", f"{name}/shape"], [name])
    return flat, shape, whole
