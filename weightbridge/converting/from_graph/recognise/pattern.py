"""A few layers in a row as a pattern, and what stands in a graph in its places."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations

from weightbridge.model.graph import Edge, Layer, LayerGraph

Test = Callable[[Layer], bool]
SWAPPED = frozenset({"Add", "Mul", "Multiply", "Max", "Min", "And", "Or"})  # in whatever order


@dataclass(frozen=True, slots=True)
class Is:
    """A layer by its class or op, and what feeds it: more of these, or names for any value.

    A name that stands twice is the same value in both places. label: under which the layer is found.
    """

    kind: str
    fed: "tuple[Is | str, ...]" = ()
    label: str = ""
    test: Test | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """values: the edges that stand for names. layers: by label."""

    values: Mapping[str, Edge] = field(default_factory=dict)
    layers: Mapping[str, Layer] = field(default_factory=dict)


def matched(graph: LayerGraph, layer: Layer, wanted: Is) -> Match | None:
    """What is where, None where the layer and those before it are otherwise."""
    return _layer(graph, layer, wanted, Match())


def _layer(graph: LayerGraph, layer: Layer, wanted: Is, known: Match) -> Match | None:
    edges = graph.edges_into[layer.name]
    if wanted.kind not in (layer.class_name, layer.op) or len(edges) != len(wanted.fed):
        return None
    if wanted.test is not None and not wanted.test(layer):
        return None
    if wanted.label:
        known = Match(known.values, {**known.layers, wanted.label: layer})
    orders = permutations(edges) if {layer.class_name, layer.op} & SWAPPED and len(edges) == 2 else [edges]
    found = (_all(graph, order, wanted.fed, known) for order in orders)
    return next((one for one in found if one is not None), None)


def _all(
    graph: LayerGraph, edges: Iterable[Edge], wanted: "tuple[Is | str, ...]", known: Match
) -> Match | None:
    found: Match | None = known
    for edge, one in zip(edges, wanted, strict=True):
        if found is None:
            return None
        found = _value(graph, edge, one, found)
    return found


def _value(graph: LayerGraph, edge: Edge, wanted: "Is | str", known: Match) -> Match | None:
    if isinstance(wanted, Is):
        return None if edge.port else _layer(graph, graph.by_name[edge.source], wanted, known)
    held = known.values.get(wanted)
    if held is not None:
        return known if (held.source, held.port) == (edge.source, edge.port) else None
    return Match({**known.values, wanted: edge}, known.layers)


@dataclass(frozen=True, slots=True)
class Edit:
    """A layer in the place of the one with its name, and what it is fed: values with their keywords."""

    layer: Layer
    fed: tuple[tuple[Edge, str], ...]


def edited(graph: LayerGraph, edits: Iterable[Edit]) -> LayerGraph:
    """The graph with these layers, without those that no output depends on any more."""
    by_name = {edit.layer.name: edit for edit in edits}
    if not by_name:
        return graph
    layers = tuple(by_name[one.name].layer if one.name in by_name else one for one in graph.layers)
    kept = [edge for edge in graph.edges if edge.target not in by_name]
    for name, edit in by_name.items():
        kept += [
            replace(edge, target=name, position=place, keyword=keyword)
            for place, (edge, keyword) in enumerate(edit.fed)
        ]
    return needed(replace(graph, layers=layers, edges=tuple(kept)))


def needed(graph: LayerGraph) -> LayerGraph:
    """Without what no output depends on; layers with tensors stay, so that each of these is accounted for."""
    waiting = [port.layer for port in graph.output_ports]
    used: set[str] = {layer.name for layer in graph.layers if layer.tensors or layer.op == "Input"}
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph.parents[name]
    kept = used | seen
    return replace(
        graph,
        layers=tuple(layer for layer in graph.layers if layer.name in kept),
        edges=tuple(edge for edge in graph.edges if {edge.source, edge.target} <= kept),
    )
