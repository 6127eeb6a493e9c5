"""The topological order of a graph's nodes, and the check that each value is made once."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush

from weightbridge.errors import Corrupt
from weightbridge.formats.onnx.proto import Graph, Node

EXPORT_AGAIN = "Export the model again"


def topological_order(graph: Graph, captured: Sequence[tuple[str, ...]], known: Iterable[str]) -> list[int]:
    """The nodes' indices in topological order, the file's own where it is one.

    captured: by node, the outer values that its subgraphs read. known: values that no node makes. Raises
    Corrupt for a cycle or a value that nothing makes.
    """
    needs = _needs(graph, captured, set(known))
    order = _order(graph, needs)
    if len(order) < len(graph.nodes):
        ordered = set(order)
        stuck = next(node for i, node in enumerate(graph.nodes) if i not in ordered)
        raise Corrupt(f"the graph is cyclic: node {_label(stuck)} needs what it makes", fix=EXPORT_AGAIN)
    return order


def _needs(graph: Graph, captured: Sequence[tuple[str, ...]], known: set[str]) -> list[set[str]]:
    """By node: the values that it needs from other nodes."""
    made = {value for node in graph.nodes for value in node.outputs if value}
    needs: list[set[str]] = []
    for node, captured_values in zip(graph.nodes, captured, strict=True):
        read = {value for value in (*node.inputs, *captured_values) if value}
        _check_sources(node, read - known - made)
        needs.append((read - known) & made)
    return needs


def _check_sources(node: Node, unmade: set[str]) -> None:
    """Raises Corrupt where one of these values is an input; what a subgraph reads is checked with it."""
    absent = sorted(unmade.intersection(node.inputs))
    if absent:
        raise Corrupt(f"node {_label(node)} reads {absent[0]!r}, which nothing makes", fix=EXPORT_AGAIN)


def _order(graph: Graph, needs: Sequence[set[str]]) -> list[int]:
    """As far as it goes: the nodes of a cycle, and those behind it, are left out."""
    waiting = _waiting(needs)
    missing = [len(values) for values in needs]
    queue = [i for i, count in enumerate(missing) if not count]
    order: list[int] = []
    while queue:
        index = heappop(queue)  # the lowest index first: the file's own order where that is one
        order.append(index)
        for reader in _readers_of(graph.nodes[index], waiting):
            missing[reader] -= 1
            if not missing[reader]:
                heappush(queue, reader)
    return order


def _waiting(needs: Sequence[set[str]]) -> dict[str, list[int]]:
    """By value: the nodes that wait for it."""
    waiting: dict[str, list[int]] = {}
    for i, values in enumerate(needs):
        for value in values:
            waiting.setdefault(value, []).append(i)
    return waiting


def _readers_of(node: Node, waiting: dict[str, list[int]]) -> list[int]:
    """The nodes that waited for this node's outputs; each output is handed out once."""
    readers: list[int] = []
    for value in node.outputs:
        readers += waiting.pop(value, ())
    return readers


def _label(node: Node) -> str:
    return repr(node.name or node.op)


def check_names(graph: Graph) -> None:
    """Raises Corrupt where two initializers or nodes make the same value."""
    tensors = Counter(tensor.name for tensor in graph.initializers)
    made = Counter(value for node in graph.nodes for value in node.outputs if value)
    counts: Mapping[str, int] = tensors + made
    repeated = sorted(value for value, count in counts.items() if count > 1)
    if repeated:
        raise Corrupt(f"{repeated[0]!r} is made twice", fix=EXPORT_AGAIN)
