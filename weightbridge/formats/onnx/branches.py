"""Models inside the branches of an If: their nodes become nodes of the graph around it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.drafts import FLOATS, inner_constants
from weightbridge.formats.onnx.proto import Graph, Node, TensorHeader, ValueInfo
from weightbridge.formats.onnx.values.subgraphs import captured_by, subgraphs

BRANCHES = ("then_branch", "else_branch")
ROUNDS = 8  # a condition may be known only when those before it are


@dataclass(frozen=True, slots=True)
class Opened:
    """A graph without such Ifs.

    branches: a value's new name -> the branch that makes it (`If_0/then_branch`).
    inner: values of branches that are always taken, which no run of the file gives.
    """

    graph: Graph
    branches: Mapping[str, str]
    inner: frozenset[str] = frozenset()

    def is_inside(self, value: str) -> bool:
        return value in self.branches or value in self.inner

    def branch(self, values: Sequence[str]) -> str:
        """The branch in which a layer with these outputs stands, "" outside of all."""
        return next((self.branches[v] for v in values if v in self.branches), "")


def opened(graph: Graph) -> Opened:
    """The graph with every branch that has weights in the place of its If; what has none stays inside."""
    opening = _Opening(_weights(graph), _names(graph))
    branches = [inner for node in graph.nodes if node.op == "If" for inner in subgraphs(node)]
    if not any(opening.has_weights(branch) for branch in branches):
        return Opened(graph, {})
    nodes = tuple(inner for node in graph.nodes for inner in opening.nodes(node, ""))
    infos = (*graph.value_infos, *opening.infos)
    return Opened(replace(graph, nodes=nodes, value_infos=infos), opening.branches)


def decided(graph: Graph, conditions: Callable[[Graph], Mapping[str, bool]]) -> Opened:
    """The graph with the branch in the place of each If whose condition is always the same.

    conditions: those that are known, by value. torch writes `squeeze` so, with the length as the condition.
    """
    inner: set[str] = set()
    for _ in range(ROUNDS):
        opening = _Opening(_weights(graph), _names(graph), _always(graph, conditions))
        if not opening.always:
            break
        nodes = tuple(one for node in graph.nodes for one in opening.nodes(node, ""))
        graph = replace(graph, nodes=nodes, value_infos=(*graph.value_infos, *opening.infos))
        inner.update(opening.branches)
    return Opened(graph, {}, frozenset(inner))


def _always(graph: Graph, conditions: Callable[[Graph], Mapping[str, bool]]) -> dict[str, str]:
    """The branch that is taken, by the first output of an If; one with weights stays as it is."""
    opening = _Opening(_weights(graph), set())
    choices = [node for node in graph.nodes if node.op == "If" and any(node.outputs)]
    plain = [node for node in choices if not any(map(opening.has_weights, subgraphs(node)))]
    known = conditions(graph) if plain else {}
    told = [(node.outputs[0], known[node.inputs[0]]) for node in plain if node.inputs[0] in known]
    return {value: BRANCHES[0 if is_true else 1] for value, is_true in told}


def _weights(graph: Graph) -> set[str]:
    return {tensor.name for tensor in graph.initializers if _is_weight(tensor)}


def _is_weight(tensor: TensorHeader) -> bool:
    return tensor.elem_type in FLOATS and any(n > 1 for n in tensor.dims)


def _names(graph: Graph) -> set[str]:
    made = (v for node in graph.nodes for v in node.outputs)
    return {*(i.name for i in graph.inputs), *(t.name for t in graph.initializers), *made}


class _Opening:
    """What is known so far: weights of the graphs around, names in use, the branch that makes each value."""

    def __init__(self, weights: set[str], taken: set[str], always: Mapping[str, str] | None = None) -> None:
        self.weights = weights
        self.taken = taken
        self.always = always  # by the first output of an If: the branch that is always taken
        self.branches: dict[str, str] = {}
        self.infos: list[ValueInfo] = []

    def has_weights(self, graph: Graph) -> bool:
        if any(_is_weight(constant.header) for constant in inner_constants(graph, "")):
            return True
        values = (value for node in graph.nodes for value in (*node.inputs, *captured_by(node)))
        return not self.weights.isdisjoint(values)

    def nodes(self, node: Node, scope: str) -> Iterator[Node]:
        """The node itself, or what its branches hold and, for each output, one node that joins them."""
        held = self._weighted_branches(node) if self.always is None else self._taken_branch(node)
        if not held:
            yield node
            return
        path = f"{scope}{node.name or node.outputs[0]}"
        ends = []
        for name, graph in held:
            names = self._named(graph, f"{path}/{name}")
            yield from self._inside(graph, names, f"{path}/{name}")
            ends.append([names.get(output.name, output.name) for output in graph.outputs])
        op = "If" if len(held) > 1 else "Identity"
        for i, output in enumerate(node.outputs):
            inputs = tuple(values[i] for values in ends)
            yield Node(node.name, op, "", inputs, (output,), {})

    def _weighted_branches(self, node: Node) -> list[tuple[str, Graph]]:
        """The branches of an If that have weights; none where one of its branches is not as it should be."""
        if node.op != "If" or node.domain:
            return []
        branches = [(name, node.attributes.get(name)) for name in BRANCHES]
        graphs = [(name, graph) for name, graph in branches if isinstance(graph, Graph)]
        whole = [(name, graph) for name, graph in graphs if len(graph.outputs) == len(node.outputs)]
        if len(whole) < len(BRANCHES):
            return []
        return [(name, graph) for name, graph in whole if self.has_weights(graph)]

    def _taken_branch(self, node: Node) -> list[tuple[str, Graph]]:
        name = (self.always or {}).get(node.outputs[0], "") if node.outputs else ""
        graph = node.attributes.get(name)
        is_whole = isinstance(graph, Graph) and len(graph.outputs) == len(node.outputs)
        return [(name, graph)] if isinstance(graph, Graph) and is_whole else []

    def _named(self, graph: Graph, branch: str) -> dict[str, str]:
        """New names for the values that a branch makes: their own where these are free."""
        names = {v: f"{branch}/{v}" if v in self.taken else v for v in _names(graph) if v}
        self.taken.update(names.values())
        self.weights |= {names[t.name] for t in graph.initializers if _is_weight(t)}
        self.branches.update(dict.fromkeys(names.values(), branch))
        return names

    def _inside(self, graph: Graph, names: Mapping[str, str], branch: str) -> Iterator[Node]:
        self.infos += [
            replace(i, name=names[i.name]) for i in (*graph.value_infos, *graph.outputs) if i.name in names
        ]
        for tensor in graph.initializers:
            yield Node("", "Constant", "", (), (names[tensor.name],), {"value": tensor})
        for node in graph.nodes:
            yield from self.nodes(_renamed(node, names), f"{branch}/")


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    """The node with its values' new names, and with those that its subgraphs read."""
    return replace(
        node,
        inputs=tuple(names.get(value, value) for value in node.inputs),
        outputs=tuple(names.get(value, value) for value in node.outputs),
        attributes={key: _within(value, names) for key, value in node.attributes.items()},
    )


def _within(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, tuple):
        return tuple(_within(v, names) for v in value)
    if not isinstance(value, Graph):
        return value
    own = _names(value)
    outer = {k: v for k, v in names.items() if k not in own}
    outputs = tuple(replace(o, name=outer.get(o.name, o.name)) for o in value.outputs)
    return replace(value, nodes=tuple(_renamed(n, outer) for n in value.nodes), outputs=outputs)
