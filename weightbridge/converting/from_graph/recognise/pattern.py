"""A few layers in a row as a pattern, and what stands in a graph in its places."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field, replace
from itertools import permutations

from weightbridge.boundary.records import dataclass
from weightbridge.converting.from_graph.source.used import used_layers
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
        return known if is_same(held, edge) else None
    return Match({**known.values, wanted: edge}, known.layers)


def is_same(one: Edge, other: Edge) -> bool:
    """Whether both bring the same value."""
    return (one.source, one.port) == (other.source, other.port)


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


def before(graph: LayerGraph, layer: Layer) -> Layer | None:
    """The one layer that feeds a layer, where that alone reads it; None where there are others."""
    edges = graph.edges_into[layer.name]
    first = graph.by_name[edges[0].source] if len(edges) == 1 else None
    if first is None or len(graph.children[first.name]) != 1 or len(graph.edges_into[first.name]) != 1:
        return None
    return None if any(port.layer == first.name for port in graph.output_ports) else first


def renamed(graph: LayerGraph, names: Mapping[str, str]) -> LayerGraph:
    """The graph with other names for layers."""
    layers = (replace(layer, name=names.get(layer.name, layer.name)) for layer in graph.layers)
    edges = (
        replace(edge, source=names.get(edge.source, edge.source), target=names.get(edge.target, edge.target))
        for edge in graph.edges
    )
    ports = (replace(port, layer=names.get(port.layer, port.layer)) for port in graph.output_ports)
    return replace(graph, layers=tuple(layers), edges=tuple(edges), output_ports=tuple(ports))


def needed(graph: LayerGraph, without: Collection[str] = ()) -> LayerGraph:
    """Without what no output depends on; layers with tensors stay, so that each of these is accounted for.

    without: layers whose tensors others have now.
    """
    kept_anyway = (layer for layer in graph.layers if layer.tensors or layer.op == "Input")
    kept = used_layers(graph) | {layer.name for layer in kept_anyway if layer.name not in without}
    return replace(
        graph,
        layers=tuple(layer for layer in graph.layers if layer.name in kept),
        edges=tuple(edge for edge in graph.edges if {edge.source, edge.target} <= kept),
    )
