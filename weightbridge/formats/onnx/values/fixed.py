"""The values of a graph that depend on constants and shapes alone, node by node in topological order."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from weightbridge.formats.onnx.proto import PER_ITEM, Graph, Node, TensorHeader
from weightbridge.formats.onnx.values.constants import Constant, Read, dequantised
from weightbridge.formats.onnx.values.evaluate import evaluate, is_small, read_by
from weightbridge.formats.onnx.values.numbers import Numbers
from weightbridge.formats.onnx.values.row_runs import row_runs
from weightbridge.formats.onnx.values.slices import Integers
from weightbridge.formats.onnx.values.views import view_of
from weightbridge.model.tensors import Array

SHAPES = ("Shape", "Size")
RANDOM = (
    "RandomNormal",
    "RandomUniform",
    "RandomNormalLike",
    "RandomUniformLike",
    "Bernoulli",
    "Multinomial",
)
PICKS = frozenset({"Gather", "GatherElements"})
HANDED_ON = frozenset({"Identity", "Expand", "Unsqueeze", "Squeeze", "Reshape", "Slice", "Transpose"})
CUT_TYPES = frozenset({1, 10, 11, 16})  # element types of tensors that may be cut into runs of rows: floats


class FixedValues:
    """What is known about fixed values so far; it grows node by node."""

    def __init__(self, tensors: Iterable[TensorHeader], runs: Mapping[str, TensorHeader], read: Read) -> None:
        self.runs = runs
        self.read = read
        self.constants: dict[str, Constant] = {t.name: Constant(t.name, t, t.dims) for t in tensors}
        self.names = set(self.constants)
        self.weights: dict[str, tuple[Constant, ...]] = {}
        self.numbers = Numbers()
        self.uniform: dict[str, Any] = {}  # the number that a value is everywhere, whatever its shape
        for name, constant in self.constants.items():
            if is_small(constant.header):
                self.numbers[name] = read(constant.header)

    def add(self, node: Node, captured: tuple[str, ...]) -> None:
        output = node.outputs[0] if node.outputs else ""
        if node.op == "Constant":
            self._add_constant(node, output)
            return
        inputs = tuple(value for value in (*read_by(node), *captured) if value)
        self._add_uniform(node, output)
        if PER_ITEM in node.attributes or (node.op not in SHAPES and not self._is_computed(node, inputs)):
            return
        self.names.update(value for value in node.outputs if value)
        self._add_number(output, evaluate(node, self.numbers, self.read))
        self._add_tensors(node, inputs, output)

    def _is_computed(self, node: Node, inputs: tuple[str, ...]) -> bool:
        """Whether the node computes its outputs from fixed values alone."""
        is_picked = node.op in PICKS and node.outputs[0] in self.uniform
        return is_picked or (bool(inputs) and node.op not in RANDOM and self.names.issuperset(inputs))

    def _add_uniform(self, node: Node, output: str) -> None:
        """Whole numbers that are all the same are so where some are picked too, by whatever data."""
        first = node.inputs[0] if node.inputs else ""
        array = self.numbers.get(first)
        if node.op not in HANDED_ON | PICKS or node.domain:
            return
        if first in self.uniform:
            self.uniform[output] = self.uniform[first]
        elif array is not None and array.dtype.kind in "iu" and array.size and (array == array.flat[0]).all():
            self.uniform[output] = array.flat[0]

    def _add_constant(self, node: Node, output: str) -> None:
        self.names.add(output)
        value = node.attributes.get("value")
        if not isinstance(value, TensorHeader):
            self._add_number(output, evaluate(node, {}, self.read))
            return
        self.constants[output] = Constant(output, value, value.dims)
        if is_small(value):
            self.numbers[output] = self.read(value)

    def _add_number(self, output: str, number: Array | None) -> None:
        if number is not None:
            self.numbers[output] = number

    def _add_tensors(self, node: Node, inputs: tuple[str, ...], output: str) -> None:
        """Says which constant the outputs are, or which tensors they are computed from."""
        runs = {value: self.runs[value] for value in node.outputs if value in self.runs}
        if runs:
            self.constants.update({value: Constant(t.name, t, t.dims) for value, t in runs.items()})
            return
        constant = self._constant_seen(node)
        if constant is not None:
            self.constants[output] = constant
            return
        if node.op in SHAPES:
            return
        tensors = tuple(dict.fromkeys(c for value in inputs for c in self.tensors_in(value)))
        if tensors:
            self.weights.update(dict.fromkeys(node.outputs, tensors))

    def _constant_seen(self, node: Node) -> Constant | None:
        """The node's first input, a constant, as the node hands it on; None where it computes with it."""
        constant = self.constants.get(node.inputs[0]) if node.inputs else None
        if constant is None:
            return None
        if node.op == "DequantizeLinear":
            return dequantised(constant, node, self.constants)
        view = view_of(node, constant.shape, self.numbers)
        if view is None:
            return None
        return Constant(constant.name, constant.header, view.shape, (*constant.views, view))

    def tensors_in(self, value: str) -> tuple[Constant, ...]:
        constant = self.constants.get(value)
        return (constant,) if constant else self.weights.get(value, ())


def fixed_values(
    graph: Graph, nodes: Sequence[Node], captured: Mapping[int, tuple[str, ...]], read: Read
) -> FixedValues:
    """nodes: in topological order. captured: outer values that a node's subgraphs read, by its index."""
    cut_tensors = [t for t in graph.initializers if t.elem_type in CUT_TYPES]
    runs = row_runs(cut_tensors, nodes, _integers(graph, nodes, read))
    values = FixedValues(graph.initializers, runs, read)
    for n, node in enumerate(nodes):
        values.add(node, captured.get(n, ()))
    return values


def _integers(graph: Graph, nodes: Iterable[Node], read: Read) -> Integers:
    """Gives the numbers of a small constant, flat; nothing is evaluated before the first is asked for."""

    @cache
    def numbers() -> Mapping[str, Array]:
        return _small_numbers(graph, nodes, read)

    def integers(value: str) -> tuple[int, ...] | None:
        array = numbers().get(value)
        if array is None:
            return None
        return tuple(int(n) for n in array.reshape(-1))

    return integers


def _small_numbers(graph: Graph, nodes: Iterable[Node], read: Read) -> Mapping[str, Array]:
    """Small constants, also those that the graph computes from others."""
    numbers = Numbers({tensor.name: read(tensor) for tensor in graph.initializers if is_small(tensor)})
    for node in nodes:
        number = _small_number(node, numbers, read)
        if number is not None and node.outputs:
            numbers[node.outputs[0]] = number
    return numbers


def _small_number(node: Node, numbers: Mapping[str, Array], read: Read) -> Array | None:
    value = node.attributes.get("value") if node.op == "Constant" else None
    if not isinstance(value, TensorHeader):
        return evaluate(node, numbers, read)
    return read(value) if is_small(value) else None
