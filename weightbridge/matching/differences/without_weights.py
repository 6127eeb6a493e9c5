"""The semantic diff of what has no weights.

The layers between two matched ones, and the merges that join the same inputs.

Within one framework alone: another one writes the same function with other layers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.matching.differences.between_layers import Said, said_between
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import writes_alike
from weightbridge.model.vocabulary import COMMUTATIVE, ELEMENTWISE_MERGES

JOINING = ELEMENTWISE_MERGES | {"Concat", "Dot"}
MEMORY = 16  # layers without weights in a row that are looked at


@dataclass(frozen=True, slots=True)
class Path:
    """What feeds one input of a layer.

    The place where it comes from, its layer, and the layers without weights on the way, in order.

    A place is a number that both graphs share: a matched layer, an input, or a merge of places.
    """

    place: int
    origin: Layer
    layers: tuple[Layer, ...] = ()


Paths = Mapping[str, tuple[Path, ...]]


def weightless(
    source: LayerGraph, target: LayerGraph, pairs: Mapping[str, str], is_same: Callable[[Any, Any], bool]
) -> Iterator[Said]:
    """What differs. pairs: the source layer of each target layer with weights."""
    if not writes_alike(source, target) or not (source.has_flow and target.has_flow):
        return
    places: dict[Any, int] = {}
    source_paths = _paths(source, {ours: theirs for theirs, ours in pairs.items()}, places)
    target_paths = _paths(target, {theirs: theirs for theirs in pairs}, places)
    weighted = [(ours, theirs) for theirs, ours in pairs.items()]
    for source_name, target_name in (*weighted, *_merges(source, target, source_paths, target_paths)):
        ours = _Joint(source, source.by_name[source_name], source_paths[source_name])
        theirs = _Joint(target, target.by_name[target_name], target_paths[target_name])
        yield from _said_of_inputs(ours, theirs, is_same)


@dataclass(frozen=True, slots=True)
class _Joint:
    """A layer, and what feeds it."""

    graph: LayerGraph
    layer: Layer
    inputs: tuple[Path, ...]


def _said_of_inputs(source: _Joint, target: _Joint, is_same: Callable[[Any, Any], bool]) -> Iterator[Said]:
    """What differs between two layers' inputs: how they are joined, their order, or what is on the way."""
    ours, theirs = source.layer, target.layer
    if ours.op in JOINING and ours.op != theirs.op:
        yield ours.name, theirs.name, "operation", (ours.op, theirs.op)
        return
    left, right = _sorted(ours, source.inputs), _sorted(theirs, target.inputs)
    left_places, right_places = [path.place for path in left], [path.place for path in right]
    if left_places == right_places:
        for x, y in zip(left, right, strict=True):
            source_side = (source.graph, x.origin, x.layers, ours)
            target_side = (target.graph, y.origin, y.layers, theirs)
            yield from said_between(source_side, target_side, is_same)
    elif sorted(left_places) == sorted(right_places):
        yield ours.name, theirs.name, "order of inputs", (_names(left), _names(right))


def _paths(graph: LayerGraph, known: Mapping[str, str], places: dict[Any, int]) -> Paths:
    """For each layer what feeds it."""
    found: dict[str, tuple[Path, ...]] = {}
    behind: dict[str, Path] = {}  # what a reader of this layer finds
    for layer in graph.layers:
        fed = tuple(behind[p] for p in graph.parents[layer.name] if p in behind)
        found[layer.name] = fed
        if layer.tensors or "shared_with" in layer.attributes or len(fed) != 1:
            place = places.setdefault(_key(graph, layer, known, fed), len(places))
            behind[layer.name] = Path(place, layer)
        else:
            behind[layer.name] = Path(fed[0].place, fed[0].origin, (*fed[0].layers, layer)[-MEMORY:])
    return found


def _key(graph: LayerGraph, layer: Layer, known: Mapping[str, str], fed: Sequence[Path]) -> tuple[Any, ...]:
    owner = layer.attributes.get("shared_with", layer.name)
    below = tuple(sorted(path.place for path in fed))
    if owner in known:
        return ("layer", known[owner]) if layer.tensors else ("call", known[owner], below)
    if layer.tensors or owner != layer.name:
        return (id(graph), layer.name)
    if not fed:
        return (
            ("input", graph.inputs.index(layer.name))
            if layer.name in graph.inputs
            else (id(graph), layer.name)
        )
    return ("merge", below)


def _merges(source: LayerGraph, target: LayerGraph, given: Paths, wanted: Paths) -> Iterator[tuple[str, str]]:
    """Merges of the same places, where each side has one of them."""
    left, right = _joined(source, given), _joined(target, wanted)
    return (
        (left[key][0], names[0]) for key, names in right.items() if len(names) == 1 == len(left.get(key, ()))
    )


def _joined(graph: LayerGraph, paths: Paths) -> dict[tuple[int, ...], list[str]]:
    found: dict[tuple[int, ...], list[str]] = {}
    for layer in graph.layers:
        if layer.op in JOINING and not layer.tensors and len(paths[layer.name]) > 1:
            found.setdefault(tuple(sorted(p.place for p in paths[layer.name])), []).append(layer.name)
    return found


def _sorted(layer: Layer, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """The inputs of a sum in any order."""
    return tuple(sorted(paths, key=lambda p: p.place)) if layer.op in COMMUTATIVE else paths


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(path.origin.name for path in paths)
