"""The semantic diff of what has no weights: the layers between two matched ones, and the merges that join the
same inputs.

Within one framework alone: another one writes the same function with other layers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weightbridge.matching.differences.between_layers import Said, said_between
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import COMMUTATIVE, ELEMENTWISE_MERGES

JOINING = ELEMENTWISE_MERGES | {"Concat", "Dot"}
MEMORY = 16  # layers without weights in a row that are looked at


@dataclass(frozen=True, slots=True)
class Path:
    """What feeds one input of a layer: the place where it comes from, its layer, and the layers without
    weights on the way, in order.

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
    if source.framework != target.framework or not (source.has_flow and target.has_flow):
        return
    places: dict[Any, int] = {}
    given = _paths(source, {s: t for t, s in pairs.items()}, places)
    wanted = _paths(target, {t: t for t in pairs}, places)
    for one, other in (*((s, t) for t, s in pairs.items()), *_merges(source, target, given, wanted)):
        a, b = source.by_name[one], target.by_name[other]
        if a.op in JOINING and a.op != b.op:
            yield one, other, "operation", (a.op, b.op)
            continue
        left, right = _sorted(a, given[one]), _sorted(b, wanted[other])
        if sorted(p.place for p in left) != sorted(p.place for p in right):
            continue
        if [p.place for p in left] != [p.place for p in right]:
            yield one, other, "order of inputs", (_names(left), _names(right))
            continue
        for x, y in zip(left, right, strict=True):
            yield from said_between((source, x.origin, x.layers, a), (target, y.origin, y.layers, b), is_same)


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
