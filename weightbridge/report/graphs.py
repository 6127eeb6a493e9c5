"""Both models in a report: layers, tensors, strides and edges, as compact as pictures and stages need them.

A layer is `[name, op, output shape, names of its tensors, stride]`, an edge a pair of places in the list.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from weightbridge.boundary.records import dataclass

Json = Mapping[str, Any]
NO_GRAPH: Json = {"has_flow": False, "layers": [], "edges": []}
FINEST = 1 << 20  # of a stride that a saved report may name


@dataclass(frozen=True, slots=True)
class Located:
    """Where the tensors of one model stand. stages: `1/8` by layer, without those that have no grid."""

    layers: Mapping[str, str]
    stages: Mapping[str, str]
    ops: Mapping[str, str]

    def layer(self, tensor: str) -> str:
        """The tensor's layer; by its name where the report has no graph."""
        return self.layers.get(tensor) or parent(tensor)


def located(graph: Json) -> Located:
    """The layer of each tensor, and the stage of each layer."""
    owners = {name: layer[0] for layer in graph["layers"] for name in layer[3]}
    return Located(owners, _stages(graph), {layer[0]: layer[1] for layer in graph["layers"]})


def _stages(graph: Json) -> dict[str, str]:
    """By how much coarser than the input's each layer's grid is; nothing where none gets coarser."""
    layers: Sequence[Sequence[Any]] = graph["layers"]
    if not graph["has_flow"]:
        return {}
    coarseness = _coarseness(layers, graph["edges"])
    if len(set(coarseness)) < 2:
        return {}
    return {
        layer[0]: f"{grid.denominator}/{grid.numerator}"
        for layer, grid in zip(layers, coarseness, strict=True)
        if layer[2] is not None and len(layer[2]) > 1
    }


def _coarseness(layers: Sequence[Sequence[Any]], edges: Sequence[Sequence[int]]) -> list[Fraction]:
    parents: defaultdict[int, list[int]] = defaultdict(list)
    for above, below in edges:
        if above < below:
            parents[below].append(above)
    found: list[Fraction] = []
    for i, layer in enumerate(layers):
        before = max((found[parent] for parent in parents[i]), default=Fraction(1))
        coarser = before * Fraction(layer[4]).limit_denominator(64)
        found.append(min(max(coarser, Fraction(1, FINEST)), Fraction(FINEST)))
    return found


def parent(tensor: str) -> str:
    """`a.b.weight` -> `a.b`, `a/b/kernel` -> `a/b`."""
    cut = max(tensor.rfind("/"), tensor.rfind("."))
    return tensor[:cut] if cut > 0 else tensor
