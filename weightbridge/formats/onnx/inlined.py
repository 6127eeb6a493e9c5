"""The functions that a file defines, put in the place of the nodes that call them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from weightbridge.errors import ResourceBomb
from weightbridge.formats.crowds import MOST
from weightbridge.formats.onnx.proto import Graph, Node
from weightbridge.formats.onnx.quantised.lower import ADDED
from weightbridge.formats.onnx.values.subgraphs import subgraphs

DEEPEST = 30  # functions inside functions


def inlined(graph: Graph, functions: Sequence[Graph]) -> Graph:
    """Raises ResourceBomb where they call each other too deep, or become too many nodes."""
    counts = Counter(function.name for function in functions)
    known = {f.name: f for f in functions if counts[f.name] == 1 and _is_plain(f)}
    if not any(_name_of(node) in known for node in graph.nodes):
        return graph
    nodes: list[Node] = []
    for node in _expanded(graph.nodes, known, DEEPEST):
        nodes.append(node)
        if len(nodes) > MOST:
            raise ResourceBomb(f"its functions become more than {MOST} nodes")
    return replace(graph, nodes=tuple(nodes))


def _is_plain(function: Graph) -> bool:
    """Whether values alone go in and out, and no node has graphs whose values would be named anew too."""
    inputs, outputs = ({info.name for info in infos} for infos in (function.inputs, function.outputs))
    has_graphs = any(True for node in function.nodes for _ in subgraphs(node))
    return bool(outputs) and not has_graphs and not inputs & outputs


def _name_of(node: Node) -> str:
    return f"{node.domain}::{node.op}"


def _expanded(nodes: Sequence[Node], known: Mapping[str, Graph], depth: int) -> Iterator[Node]:
    if not depth:
        raise ResourceBomb(f"its functions call each other more than {DEEPEST} deep")
    for node in nodes:
        function = known.get(_name_of(node))
        is_fitting = function is not None and 0 < len(node.outputs) <= len(function.outputs)
        if function is None or node.attributes or not is_fitting:
            yield node
        else:
            yield from _expanded(_called(node, function), known, depth - 1)


def _called(node: Node, function: Graph) -> list[Node]:
    """The function's nodes, which read and make the values of the call; others have names of their own."""
    scope = f"{node.outputs[0]}/{ADDED}"
    given = (*node.inputs, *("" for _ in function.inputs[len(node.inputs) :]))
    names = dict(zip((info.name for info in function.inputs), given, strict=False))
    names |= dict(zip((info.name for info in function.outputs), node.outputs, strict=False))

    def named(values: Sequence[str]) -> tuple[str, ...]:
        return tuple(names.get(value, f"{scope}{value}") if value else "" for value in values)

    return [
        replace(
            one,
            name=f"{node.name or node.outputs[0]}/{one.name or one.op}",
            inputs=named(one.inputs),
            outputs=named(one.outputs),
        )
        for one in function.nodes
    ]
