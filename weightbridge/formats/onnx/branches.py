"""Models inside the branches of an If: their nodes become nodes of the graph around it, each with the branch
that it stands in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weightbridge.formats.onnx.drafts import FLOATS, inner_constants
from weightbridge.formats.onnx.proto import Graph, Node, TensorHeader, ValueInfo
from weightbridge.formats.onnx.values.subgraphs import captured_by, subgraphs

BRANCHES = ("then_branch", "else_branch")


@dataclass(frozen=True, slots=True)
class Opened:
    """A graph without such Ifs. branches: value -> the branch that makes it (`If_0/then_branch`), by the
    values' new names.
    """

    graph: Graph
    branches: Mapping[str, str]

    def branch(self, values: Sequence[str]) -> str:
        """The branch in which a layer with these outputs stands, "" outside of all."""
        return next((self.branches[v] for v in values if v in self.branches), "")


def opened(graph: Graph) -> Opened:
    """The graph with every branch that has weights in the place of its If; what has none stays inside."""
    opening = _Opening({t.name for t in graph.initializers if _is_weight(t)}, _names(graph))
    if not any(
        opening.has_weights(inner) for node in graph.nodes if node.op == "If" for inner in subgraphs(node)
    ):
        return Opened(graph, {})
    nodes = tuple(n for node in graph.nodes for n in opening.nodes(node, ""))
    infos = (*graph.value_infos, *opening.infos)
    return Opened(replace(graph, nodes=nodes, value_infos=infos), opening.branches)


def _is_weight(tensor: TensorHeader) -> bool:
    return tensor.elem_type in FLOATS and any(n > 1 for n in tensor.dims)


def _names(graph: Graph) -> set[str]:
    made = (v for node in graph.nodes for v in node.outputs)
    return {*(i.name for i in graph.inputs), *(t.name for t in graph.initializers), *made}


class _Opening:
    """What is known so far: the weights of the graphs around, the names in use, and where each value of a
    branch is made.
    """

    def __init__(self, weights: set[str], taken: set[str]) -> None:
        self.weights = weights
        self.taken = taken
        self.branches: dict[str, str] = {}
        self.infos: list[ValueInfo] = []

    def has_weights(self, graph: Graph) -> bool:
        own = any(_is_weight(c.header) for c in inner_constants(graph, ""))
        return own or not self.weights.isdisjoint(
            v for n in graph.nodes for v in (*n.inputs, *captured_by(n))
        )

    def nodes(self, node: Node, scope: str) -> Iterator[Node]:
        """The node itself, or what its branches hold and, for each output, one node that joins them."""
        found = [(name, node.attributes.get(name)) for name in BRANCHES]
        graphs = [
            (name, g) for name, g in found if isinstance(g, Graph) and len(g.outputs) == len(node.outputs)
        ]
        held = [(name, g) for name, g in graphs if self.has_weights(g)]
        if node.op != "If" or node.domain or not held or len(graphs) < len(found):
            yield node
            return
        path = f"{scope}{node.name or node.outputs[0]}"
        ends = []
        for name, graph in held:
            names = self._named(graph, f"{path}/{name}")
            yield from self._inside(graph, names, f"{path}/{name}")
            ends.append([names.get(o.name, o.name) for o in graph.outputs])
        for i, output in enumerate(node.outputs):
            given = tuple(end[i] for end in ends)
            yield Node(node.name, "If" if len(given) > 1 else "Identity", "", given, (output,), {})

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
    inputs, outputs = (tuple(names.get(v, v) for v in values) for values in (node.inputs, node.outputs))
    return replace(
        node,
        inputs=inputs,
        outputs=outputs,
        attributes={k: _within(v, names) for k, v in node.attributes.items()},
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
