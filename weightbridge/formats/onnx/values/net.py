"""Net: which values of a graph are constants, which follow from shapes alone, which carry data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.proto import Graph, Node
from weightbridge.formats.onnx.values.constants import Constant, Read
from weightbridge.formats.onnx.values.fixed import SHAPES, fixed_values
from weightbridge.formats.onnx.values.order import check_names, topological_order
from weightbridge.formats.onnx.values.subgraphs import captured_by
from weightbridge.model.tensors import Array

__all__ = ["Constant", "Net", "Read", "net_of"]


@dataclass(frozen=True)
class Net:
    """One graph with its values sorted out.

    nodes: in topological order.
    constants: tensors, by the names of the values they give.
    fixed: values that depend on constants and shapes alone.
    weights: the tensors that a fixed value is computed from, where it is no plain constant.
    numbers: small constants and what is computed from them, evaluated.
    captured: values of the outer graph that a node's subgraphs read.
    vectors: integers that follow from lengths; None for one that the file leaves open, -n for n times one.
    repeated: numbers that are the same for every item of a batch, for one item.
    strided: integers of one item, and by how much they grow from one item to the next.
    uniform: the whole number that a fixed value is everywhere, whatever its shape.
    tried: shapes, and the integers that follow from them, where each open length is a number of its own.
    """

    nodes: tuple[Node, ...]
    producer: Mapping[str, int]
    consumers: Mapping[str, tuple[int, ...]]
    constants: Mapping[str, Constant]
    fixed: frozenset[str]
    weights: Mapping[str, tuple[Constant, ...]]
    numbers: Mapping[str, Array]
    captured: Mapping[int, tuple[str, ...]]
    outputs: tuple[str, ...]
    vectors: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)
    repeated: Mapping[str, Array] = field(default_factory=dict)
    strided: Mapping[str, tuple[Array, int]] = field(default_factory=dict)
    uniform: Mapping[str, Any] = field(default_factory=dict)
    tried: tuple[Mapping[str, tuple[int | None, ...]], Mapping[str, Array]] = ({}, {})

    def integers(self, value: str) -> tuple[int, ...] | None:
        """The numbers of a small constant, flat; None for anything else."""
        array = self.numbers.get(value)
        if array is None:
            return None
        return tuple(int(n) for n in array.reshape(-1))

    def elements(self, value: str) -> tuple[int | None, ...] | None:
        """The same of integers of which some depend on open lengths."""
        numbers = self.integers(value)
        return self.vectors.get(value) if numbers is None else numbers

    def scalar(self, value: str) -> float | None:
        array = self.numbers.get(value)
        if array is None or array.size != 1:
            return None
        return float(array.reshape(-1)[0])

    def is_data(self, value: str) -> bool:
        return bool(value) and value not in self.fixed

    def source(self, value: str) -> Node | None:
        index = self.producer.get(value)
        return None if index is None else self.nodes[index]

    def only_reader(self, value: str) -> int | None:
        """The node that alone reads this value (not its shape); None for several readers or an output."""
        return self._only_readers.get(value)

    def is_output(self, value: str) -> bool:
        return value in self._outputs

    @cached_property
    def _outputs(self) -> frozenset[str]:
        return frozenset(self.outputs)

    @cached_property
    def _only_readers(self) -> Mapping[str, int]:
        """Of all values at once: one may have as many readers as there are nodes."""
        readers: dict[str, list[int]] = {}
        for value, consumers in self.consumers.items():
            if not self.is_output(value):
                readers[value] = [i for i in consumers if self.nodes[i].op not in SHAPES]
        return {value: found[0] for value, found in readers.items() if len(found) == 1}


def net_of(graph: Graph, read: Read, outer: frozenset[str] = frozenset()) -> Net:
    """Sorts out one graph. Raises Corrupt.

    read: gives a tensor's values; it is called for small constants alone.
    outer: values of enclosing graphs, known by name alone.
    """
    captured_values = [captured_by(node) for node in graph.nodes]
    initializers = {tensor.name for tensor in graph.initializers}
    inputs = {info.name for info in graph.inputs}
    order = topological_order(graph, captured_values, outer | initializers | inputs)
    nodes = tuple(graph.nodes[i] for i in order)
    captured = {n: captured_values[i] for n, i in enumerate(order) if captured_values[i]}
    check_names(graph)
    fixed = fixed_values(graph, nodes, captured, read)
    return Net(
        nodes=nodes,
        producer=_producers(nodes),
        consumers=_consumers(nodes, captured),
        constants=fixed.constants,
        fixed=frozenset(fixed.names),
        weights=fixed.weights,
        numbers=fixed.numbers,
        captured=captured,
        outputs=tuple(output.name for output in graph.outputs),
        uniform=fixed.uniform,
    )


def _producers(nodes: Iterable[Node]) -> dict[str, int]:
    return {value: n for n, node in enumerate(nodes) for value in node.outputs if value}


def _consumers(nodes: Sequence[Node], captured: Mapping[int, tuple[str, ...]]) -> dict[str, tuple[int, ...]]:
    consumers: dict[str, list[int]] = {}
    for n, node in enumerate(nodes):
        for value in dict.fromkeys((*node.inputs, *captured.get(n, ()))):
            consumers.setdefault(value, []).append(n)
    return {value: tuple(indices) for value, indices in consumers.items()}
