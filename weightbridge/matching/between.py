"""What stands between matched layers and has no weights: pooling of another kind or size is another function too."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from weightbridge.graph import Layer, LayerGraph

COMPARED = frozenset({"Pool", "GlobalPool"})


def pools(source: LayerGraph, target: LayerGraph, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[Layer, Layer]]:
    """Pairs of pooling layers, in order, behind pairs of (source, target) layers, where both sides have as many of the same kind."""
    if not (source.has_flow and target.has_flow):
        return
    seen: set[str] = set()
    for given, wanted in pairs:
        found = [(a, b) for a, b in zip_longest(_behind(source, given), _behind(target, wanted)) if b is None or b.name not in seen]
        if all(a is not None and b is not None and a.op == b.op for a, b in found):
            yield from ((a, b) for a, b in found if a is not None and b is not None)
            seen.update(b.name for _, b in found if b is not None)


def _behind(graph: LayerGraph, name: str) -> Iterator[Layer]:
    """The pooling layers on the only path from a layer on, as far as no weights come in."""
    while len(graph.children[name]) == 1:
        layer = graph.by_name[graph.children[name][0]]
        if layer.tensors or len(graph.parents[layer.name]) != 1:
            return
        if layer.op in COMPARED:
            yield layer
        name = layer.name
