"""Frozen graphs of TensorFlow 1: weights are constants, their roles come from their readers."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from weightbridge.errors import Corrupt, MissingFile, ModelError
from weightbridge.formats.keras.variables.loose import chain
from weightbridge.formats.opening import placed
from weightbridge.formats.tensorflow.graphs.inline import operation_of
from weightbridge.formats.tensorflow.graphs.messages import Operation, constant_span, parse_operation
from weightbridge.formats.tensorflow.saved_model.constants import (
    Constant,
    constant_tensor,
    is_weight,
    size_of,
)
from weightbridge.formats.wire import Buffer, Span, fields, span_of
from weightbridge.model.graph import Excluded, Layer, LayerGraph
from weightbridge.model.layouts import with_axes
from weightbridge.model.tensors import Tensor

SUMS = ("Add", "AddV2")
# operation -> canonical op, and the roles of its inputs
READS: Mapping[str, tuple[str, Mapping[int, str]]] = {
    "Conv2D": ("Conv", {1: "kernel"}),
    "Conv3D": ("Conv", {1: "kernel"}),
    "DepthwiseConv2dNative": ("DepthwiseConv", {1: "kernel"}),
    "Conv2DBackpropInput": ("ConvTranspose", {1: "kernel"}),
    "MatMul": ("Dense", {1: "kernel"}),
    "BatchMatMul": ("Dense", {1: "kernel"}),
    "BatchMatMulV2": ("Dense", {1: "kernel"}),
    "BiasAdd": ("Shift", {1: "shift"}),
    **dict.fromkeys(SUMS, ("Shift", {1: "shift"})),
    **dict.fromkeys(
        ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
        ("BatchNorm", {1: "gamma", 2: "beta", 3: "moving_mean", 4: "moving_variance"}),
    ),
}
BIASES = ("BiasAdd", *SUMS)
PASSING = ("Identity", "StopGradient", "CheckNumerics")
NODES, LIBRARY = 1, 2  # fields of a graph
FUNCTIONS, NODES_OF_FUNCTION = 1, 3  # of its library, and of a function
AGAIN = "Copy the folder again"
VARIABLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})

Operations = Mapping[str, Operation]


def constants_graph(path: Path, format: str, data: Buffer, span: Span | None) -> LayerGraph:
    """The layers of a graph whose weights are constants in it, or in its functions.

    Raises MissingFile where it has variables and no constants, Corrupt where it has neither.
    """
    with placed(path, AGAIN):
        graphs = tuple(graphs_of(data, span)) if span else ()
        layers = _layers_of(path, data, graphs)
    if not layers:
        raise _without_weights(path, graphs)
    return LayerGraph(
        path=str(path),
        format=format,
        framework="keras",
        layers=with_axes(layers, "keras"),
        edges=chain(layers),
        excluded=tuple(_left_over(data, graphs, layers)),
    )


def unread_constants(path: Path, data: Buffer, span: Span | None) -> tuple[Excluded, ...]:
    """The arrays of a graph and its functions whose weights are variables: these constants no layer has."""
    with placed(path, AGAIN):
        graphs = tuple(graphs_of(data, span)) if span else ()
        left = tuple(_left_over(data, graphs, ()))
    return tuple(entry for entry in left if entry.size > 1)


def _left_over(data: Buffer, graphs: Iterable[Operations], layers: Iterable[Layer]) -> Iterator[Excluded]:
    """The constants of floating point that no layer reads."""
    held = {tensor.name for layer in layers for tensor in layer.tensors}
    seen: dict[str, set[int]] = {}
    for constant in _constants(data, graphs):
        size = size_of(data, constant) if is_weight(data, constant) else 0
        known = seen.setdefault(constant.name, set())
        if size and constant.name not in held and size not in known:  # a function traced twice has it twice
            yield Excluded(f"{constant.name}~{len(known)}" if known else constant.name, "state", size)
            known.add(size)


def _constants(data: Buffer, graphs: Iterable[Operations]) -> Iterator[Constant]:
    constants = (_as_constant(data, node) for graph in graphs for node in graph.values())
    yield from (constant for constant in constants if constant is not None)


def _as_constant(data: Buffer, node: Operation) -> Constant | None:
    span = constant_span(data, node)
    return None if span is None else Constant(node.name, span)


def _without_weights(path: Path, graphs: Iterable[Operations]) -> ModelError:
    """The error for a graph without constants: its variables are elsewhere, or there are none."""
    variables = sum(node.op in VARIABLES for graph in graphs for node in graph.values())
    if variables:
        return MissingFile(
            f"the graph has {variables} variables, and the folder variables/ with their values is not there",
            where=str(path),
            fix="Copy the whole folder: saved_model.pb and variables/",
        )
    return Corrupt(
        "the SavedModel holds no weights: no variables, and no constants that a layer reads",
        where=str(path),
        fix="Give the model that it was made from",
    )


def graphs_of(data: Buffer, span: Span) -> Iterator[Operations]:
    """The operations of a graph by name, then those of each of its functions."""
    parts = list(fields(data, span))
    yield _operations(data, (span_of(part) for part in parts if part.number == NODES))
    libraries = [span_of(part) for part in parts if part.number == LIBRARY]
    functions = [f for library in libraries for f in fields(data, library) if f.number == FUNCTIONS]
    for function in functions:
        nodes = (span_of(f) for f in fields(data, span_of(function)) if f.number == NODES_OF_FUNCTION)
        yield _operations(data, nodes)


def _operations(data: Buffer, nodes: Iterable[Span]) -> Operations:
    return {node.name: node for node in (parse_operation(data, span) for span in nodes)}


def _layers_of(path: Path, data: Buffer, graphs: Iterable[Operations]) -> tuple[Layer, ...]:
    """The layers of all graphs; of a function that was traced twice those of the first."""
    layers: dict[str, Layer] = {}
    for graph in graphs:
        more = _layers(path, data, graph)
        if not any(layer.name in layers for layer in more):
            layers |= {layer.name: layer for layer in more}
    return tuple(layers.values())


def _layers(path: Path, data: Buffer, nodes: Operations) -> tuple[Layer, ...]:
    used: set[str] = set()
    layers: dict[str, Layer] = {}
    for node in nodes.values():
        constants = _weights_of(node, nodes, data, used)
        tensors = tuple(constant_tensor(path, data, constant, role) for role, constant in constants)
        used.update(tensor.name for tensor in tensors)
        if tensors:
            _add(layers, node, tensors)
    return tuple(layers.values())


def _weights_of(
    node: Operation, nodes: Mapping[str, Operation], data: Buffer, used: Container[str]
) -> list[tuple[str, Constant]]:
    """The constants that an operation reads as weights and no operation before it has read, by role."""
    _, roles = READS.get(node.op, ("", {}))
    weights = []
    for i, role in roles.items():
        constant = _constant(data, nodes, node.inputs[i]) if i < len(node.inputs) else None
        if constant is not None and constant.name not in used and is_weight(data, constant):
            weights.append((role, constant))
    return weights


def _add(layers: dict[str, Layer], node: Operation, tensors: tuple[Tensor, ...]) -> None:
    """Puts a bias into the layer that it is added to, and other weights into a layer of their own."""
    is_bias = node.op in BIASES and bool(node.inputs)
    before = layers.get(operation_of(node.inputs[0])) if is_bias else None
    if before is not None and before.tensor("bias") is None:
        bias = replace(tensors[0], role="bias")
        tensors = (*before.tensors, bias)
        layers[before.name] = replace(before, tensors=tensors, attributes={"use_bias": True})
    elif node.op not in SUMS:
        op, _ = READS[node.op]
        attributes = {"axis": -1} if op == "Shift" else {}
        layers[node.name] = Layer(node.name, op, node.op, attributes, tensors)


def _constant(data: Buffer, nodes: Operations, name: str) -> Constant | None:
    """The constant that an input is, through operations that only pass it on."""
    node = nodes.get(operation_of(name))
    for _ in range(len(nodes)):
        if node is None or node.op not in PASSING or not node.inputs:
            break
        node = nodes.get(operation_of(node.inputs[0]))
    return None if node is None else _as_constant(data, node)
