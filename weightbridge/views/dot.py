"""The graph in Graphviz's language, scopes as clusters; `dot -Tsvg` draws it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weightbridge.report.escape import dot
from weightbridge.views.labels import COLORS, described, family, shape

Json = Mapping[str, Any]


def render(graph: Json) -> str:
    """Nodes are numbered in the graph's own order: names are text alone, and never part of the language."""
    layers: Sequence[Json] = graph["layers"]
    place = {layer["name"]: i for i, layer in enumerate(layers)}
    lines = [
        "digraph model {",
        "rankdir=TB;",
        'node [shape=box style=filled fontname="sans-serif" fontsize=10];',
    ]
    lines += _nodes(layers)
    lines += [f"n{place[a]} -> n{place[b]};" for a, b, _ in graph["edges"] if a in place and b in place]
    return "\n".join([*lines, "}"]) + "\n"


def _nodes(layers: Sequence[Json]) -> Iterator[str]:
    """Layer by layer; neighbours in one scope share a cluster, which opens and closes with the scope."""
    opened: list[str] = []
    for i, layer in enumerate(layers):
        scope = layer["name"].split("/")[:-1]
        shared = _shared(opened, scope)
        yield from ("}" for _ in opened[shared:])
        for depth in range(shared, len(scope)):
            yield f"subgraph cluster_{i}_{depth} {{ label={dot('/'.join(scope[: depth + 1]))};"
        opened = scope
        yield f"n{i} [label={_label(layer)} fillcolor={dot(COLORS[family(layer['op'])])}];"
    yield from ("}" for _ in opened)


def _shared(a: Sequence[str], b: Sequence[str]) -> int:
    return next(
        (i for i, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), min(len(a), len(b))
    )


def _label(layer: Json) -> str:
    """Lines are joined by Graphviz's own escape, which no name can contain."""
    lines = [line for line in (layer["name"], described(layer), shape(layer)) if line]
    return '"' + "\\n".join(dot(line)[1:-1] for line in lines) + '"'
