"""The values of an ONNX graph: which are constants, which follow from shapes alone, which carry data."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from heapq import heappop, heappush

from weightbridge.errors import Corrupt
from weightbridge.formats.onnx.proto import Graph, Node, TensorHeader
from weightbridge.formats.onnx.values.constants import Constant, dequantised
from weightbridge.formats.onnx.values.evaluate import evaluate, is_small, read_by
from weightbridge.formats.onnx.values.pieces import pieces_of
from weightbridge.formats.onnx.values.views import view_of
from weightbridge.model.tensors import Array

__all__ = ["Constant", "Net", "Read", "captured_by", "net_of", "subgraphs"]
PIECES = frozenset({1, 10, 11, 16})  # element types of tensors that may be cut: floats
SHAPES = ("Shape", "Size")
RANDOM = (
    "RandomNormal",
    "RandomUniform",
    "RandomNormalLike",
    "RandomUniformLike",
    "Bernoulli",
    "Multinomial",
)
Read = Callable[[TensorHeader], Array]


@dataclass(frozen=True)
class Net:
    """One graph with its values sorted out.

    nodes: in topological order. constants: tensors, by the names of the values they give. fixed: values that
    depend on constants and
    shapes alone. weights: for fixed values that are no plain constants, the tensors they are computed from.
    numbers: small constants and what is computed from them, evaluated. captured: values of the outer graph
    that a node's subgraphs read.
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

    def integers(self, value: str) -> tuple[int, ...] | None:
        """The numbers of a small constant, flat; None for anything else."""
        array = self.numbers.get(value)
        return None if array is None else tuple(int(n) for n in array.reshape(-1))

    def scalar(self, value: str) -> float | None:
        array = self.numbers.get(value)
        return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else None

    def is_data(self, value: str) -> bool:
        return bool(value) and value not in self.fixed

    def source(self, value: str) -> Node | None:
        index = self.producer.get(value)
        return None if index is None else self.nodes[index]

    def only_reader(self, value: str) -> int | None:
        """The index of the node that alone reads this value, and not its shape; None where there are several,
        or it is an output.
        """
        readers = [i for i in self.consumers.get(value, ()) if self.nodes[i].op not in SHAPES]
        return readers[0] if len(readers) == 1 and value not in self.outputs else None


def net_of(graph: Graph, read: Read, outer: frozenset[str] = frozenset()) -> Net:
    """Sorts out one graph. `read` gives a tensor's values; it is called for small constants alone. Raises
    Corrupt.

    outer: values of enclosing graphs, known by name alone.
    """
    captured_values = [captured_by(node) for node in graph.nodes]
    known = outer | {t.name for t in graph.initializers} | {i.name for i in graph.inputs}
    order = _sorted(graph, captured_values, known)
    nodes = tuple(graph.nodes[i] for i in order)
    captured = {n: captured_values[i] for n, i in enumerate(order) if captured_values[i]}
    _check_names(graph)
    sorter = _Sorter({t.name: Constant(t.name, t, t.dims) for t in graph.initializers}, read)
    sorter.pieces = pieces_of(
        [t for t in graph.initializers if t.elem_type in PIECES], nodes, _integers(graph, nodes, read)
    )
    for n, node in enumerate(nodes):
        sorter.add(node, captured.get(n, ()))
    consumers: dict[str, list[int]] = {}
    for n, node in enumerate(nodes):
        for value in dict.fromkeys((*node.inputs, *captured.get(n, ()))):
            consumers.setdefault(value, []).append(n)
    return Net(
        nodes=nodes,
        producer={value: n for n, node in enumerate(nodes) for value in node.outputs if value},
        consumers={value: tuple(found) for value, found in consumers.items()},
        constants=sorter.constants,
        fixed=frozenset(sorter.fixed),
        weights=sorter.weights,
        numbers=sorter.numbers,
        captured=captured,
        outputs=tuple(o.name for o in graph.outputs),
    )


def _integers(graph: Graph, nodes: Iterable[Node], read: Read) -> Callable[[str], tuple[int, ...] | None]:
    """The numbers of a small constant, flat, also where the graph computes it from others. Nothing is
    evaluated before it is asked for.
    """

    @cache
    def numbers() -> Mapping[str, Array]:
        found = {t.name: read(t) for t in graph.initializers if is_small(t)}
        for node in nodes:
            value = node.attributes.get("value") if node.op == "Constant" else None
            held = isinstance(value, TensorHeader)
            made = (
                read(value)
                if isinstance(value, TensorHeader) and is_small(value)
                else None
                if held
                else evaluate(node, found, read)
            )
            found.update({node.outputs[0]: made} if made is not None and node.outputs else {})
        return found

    def integers(value: str) -> tuple[int, ...] | None:
        array = numbers().get(value)
        return None if array is None else tuple(int(n) for n in array.reshape(-1))

    return integers


class _Sorter:
    """What is known about values so far, node by node in topological order."""

    def __init__(self, constants: dict[str, Constant], read: Read) -> None:
        self.constants = constants
        self.fixed = set(constants)
        self.weights: dict[str, tuple[Constant, ...]] = {}
        self.pieces: Mapping[str, TensorHeader] = {}
        self.read = read
        self.numbers: dict[str, Array] = {
            name: read(c.header) for name, c in constants.items() if is_small(c.header)
        }

    def add(self, node: Node, captured: tuple[str, ...]) -> None:
        output = node.outputs[0] if node.outputs else ""
        if node.op == "Constant":
            self._add_constant(node, output)
            return
        inputs = tuple(v for v in (*read_by(node), *captured) if v)
        if node.op not in SHAPES and (node.op in RANDOM or not inputs or not self.fixed.issuperset(inputs)):
            return
        self.fixed.update(v for v in node.outputs if v)
        found = evaluate(node, self.numbers, self.read)
        if found is not None:
            self.numbers[output] = found
        self._add_computed(node, inputs, output)

    def _add_constant(self, node: Node, output: str) -> None:
        self.fixed.add(output)
        value = node.attributes.get("value")
        if isinstance(value, TensorHeader):
            self.constants[output] = Constant(output, value, value.dims)
            if is_small(value):
                self.numbers[output] = self.read(value)
            return
        found = evaluate(node, {}, self.read)
        if found is not None:
            self.numbers[output] = found

    def _add_computed(self, node: Node, inputs: tuple[str, ...], output: str) -> None:
        held = {v: self.pieces[v] for v in node.outputs if v in self.pieces}
        if held:
            self.constants.update({v: Constant(t.name, t, t.dims) for v, t in held.items()})
            return
        first = self.constants.get(node.inputs[0]) if node.inputs else None
        if node.op == "DequantizeLinear":
            first = dequantised(first, node, self.constants) if first is not None else None
            if first is not None:
                self.constants[output] = first
                return
        view = view_of(node, first.shape, self.numbers) if first else None
        if first is not None and view is not None:
            self.constants[output] = Constant(first.name, first.header, view.shape, (*first.views, view))
            return
        if node.op not in SHAPES:
            found = tuple(dict.fromkeys(c for v in inputs for c in self.tensors_in(v)))
            self.weights.update({v: found for v in node.outputs if found})

    def tensors_in(self, value: str) -> tuple[Constant, ...]:
        constant = self.constants.get(value)
        return (constant,) if constant else self.weights.get(value, ())


def captured_by(node: Node) -> tuple[str, ...]:
    """The values that a node's subgraphs read and do not make."""
    found: dict[str, None] = {}
    for graph in subgraphs(node):
        made = (
            {i.name for i in graph.inputs}
            | {t.name for t in graph.initializers}
            | {v for n in graph.nodes for v in n.outputs}
        )
        read = (v for n in graph.nodes for v in (*n.inputs, *captured_by(n)))
        found.update(
            dict.fromkeys(v for v in (*read, *(o.name for o in graph.outputs)) if v and v not in made)
        )
    return tuple(found)


def subgraphs(node: Node) -> Iterator[Graph]:
    """The graphs among a node's attributes: the branches of an If, the body of a Loop."""
    for value in node.attributes.values():
        many = value if isinstance(value, tuple) else (value,)
        yield from (v for v in many if isinstance(v, Graph))


def _sorted(graph: Graph, captured: list[tuple[str, ...]], known: Iterable[str]) -> list[int]:
    """The nodes' indices in topological order, the file's own where it is one. Raises Corrupt for a cycle or
    a value that nothing makes.
    """
    made = {v for node in graph.nodes for v in node.outputs if v}
    ready = set(known)
    waiting: dict[str, list[int]] = {}
    missing: list[int] = []
    for i, node in enumerate(graph.nodes):
        needs = {v for v in (*node.inputs, *captured[i]) if v and v not in ready}
        absent = sorted(v for v in needs if v not in made and v in node.inputs)
        if absent:
            raise Corrupt(
                f"node {node.name or node.op!r} reads {absent[0]!r}, which nothing makes",
                fix="Export the model again",
            )
        needs &= made
        missing.append(len(needs))
        for value in needs:
            waiting.setdefault(value, []).append(i)
    queue, order = [i for i, count in enumerate(missing) if not count], []
    while queue:
        order.append(i := heappop(queue))  # the lowest index first: the file's own order where that is one
        for value in graph.nodes[i].outputs:
            for reader in waiting.pop(value, ()):
                missing[reader] -= 1
                if not missing[reader]:
                    heappush(queue, reader)
    if len(order) < len(graph.nodes):
        stuck = next(graph.nodes[i] for i, count in enumerate(missing) if count)
        raise Corrupt(
            f"the graph is cyclic: node {stuck.name or stuck.op!r} needs what it makes",
            fix="Export the model again",
        )
    return order


def _check_names(graph: Graph) -> None:
    """Each value is made once."""
    tensors = Counter(t.name for t in graph.initializers)
    made = Counter(v for node in graph.nodes for v in node.outputs if v)
    twice = sorted(v for v, count in (tensors + made).items() if count > 1)
    if twice:
        raise Corrupt(f"{twice[0]!r} is made twice", fix="Export the model again")
