"""The graph in Graphviz's language, scopes as clusters; `dot -Tsvg` draws it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weightbridge.report.escape import dot
from weightbridge.views.labels import COLORS, described, family, shape

Json = Mapping[str, Any]
HEAD = (
    "digraph model {",
    "rankdir=TB;",
    'node [shape=box style=filled fontname="sans-serif" fontsize=10];',
)


def render(graph: Json) -> str:
    """Nodes are numbered in the graph's own order: names are text alone, and never part of the language."""
    lines = [*HEAD, *_nodes(graph["layers"]), *_edges(graph), "}"]
    return "\n".join(lines) + "\n"


def _nodes(layers: Sequence[Json]) -> Iterator[str]:
    """Layer by layer; neighbours in one scope share a cluster, which opens and closes with the scope."""
    opened: list[str] = []
    for i, layer in enumerate(layers):
        scope = layer["name"].split("/")[:-1]
        shared = _shared(opened, scope)
        yield from ("}" for _ in opened[shared:])
        for depth in range(shared, len(scope)):
            name = "/".join(scope[: depth + 1])
            yield f"subgraph cluster_{i}_{depth} {{ label={dot(name)};"
        opened = scope
        color = COLORS[family(layer["op"])]
        yield f"n{i} [label={_label(layer)} fillcolor={dot(color)}];"
    yield from ("}" for _ in opened)


def _shared(a: Sequence[str], b: Sequence[str]) -> int:
    """How many scopes both begin with."""
    count = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        count += 1
    return count


def _label(layer: Json) -> str:
    """Lines are joined by Graphviz's own escape, which no name can contain."""
    lines = [line for line in (layer["name"], described(layer), shape(layer)) if line]
    unquoted = (dot(line)[1:-1] for line in lines)
    return '"' + "\\n".join(unquoted) + '"'


def _edges(graph: Json) -> Iterator[str]:
    place = {layer["name"]: i for i, layer in enumerate(graph["layers"])}
    for source, target, _ in graph["edges"]:
        if source in place and target in place:
            yield f"n{place[source]} -> n{place[target]};"
