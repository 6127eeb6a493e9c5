"""What stands between matched layers and has no weights: pooling of another kind or size is another function
too.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from weightbridge.matching.units.effective_attributes import is_seen_through, takes_activation
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import (
    COPIES,
    FORWARD_CONVOLUTIONS,
    IN_TRAINING,
    INPUT_SCALING,
    POOLS,
    RESHAPES,
    UNKNOWN,
)

NEUTRAL = COPIES | RESHAPES | {"Input", "Masking"}  # what changes no value
UNSAID = frozenset(
    {"data_format", "keepdims", "rank", "shape", "name", "trainable", "dtype", "shared_with", "vocabulary"}
)
Side = tuple[
    LayerGraph, Layer, tuple[Layer, ...], Layer
]  # the graph, where a path begins, what is on it, where it ends
Said = tuple[str, str, str, tuple[Any, Any]]  # source layer, target layer, attribute, both values


def pools(
    source: LayerGraph, target: LayerGraph, pairs: Iterable[tuple[str, str]]
) -> Iterator[tuple[Layer, Layer]]:
    """Pairs of pooling layers, in order, behind pairs of (source, target) layers.

    Both sides have as many of the same kind.
    """
    if not (source.has_flow and target.has_flow):
        return
    seen: set[str] = set()
    for source_name, target_name in pairs:
        joined = zip_longest(_behind(source, source_name), _behind(target, target_name))
        same = _same_pools([(ours, theirs) for ours, theirs in joined if not _is_named(theirs, seen)])
        yield from same
        seen.update(theirs.name for _, theirs in same)


def _is_named(layer: Layer | None, names: Container[str]) -> bool:
    return layer is not None and layer.name in names


def _same_pools(joined: Sequence[tuple[Layer | None, Layer | None]]) -> list[tuple[Layer, Layer]]:
    """The pairs, where each is of two layers of the same kind; none otherwise."""
    same = [(ours, theirs) for ours, theirs in joined if ours and theirs and ours.op == theirs.op]
    return same if len(same) == len(joined) else []


def _behind(graph: LayerGraph, name: str) -> Iterator[Layer]:
    """The pooling layers on the only path from a layer on, as far as no weights come in."""
    while len(graph.children[name]) == 1:
        layer = graph.by_name[graph.children[name][0]]
        if layer.tensors or len(graph.parents[layer.name]) != 1:
            return
        if layer.op in POOLS:
            yield layer
        name = layer.name


def said_between(source: Side, target: Side, is_same: Callable[[Any, Any], bool]) -> Iterator[Said]:
    """What differs on two paths between the same layers."""
    yield from _in_training(source, target, is_same)
    left, right = _acting(source), _acting(target)
    if list(map(_kind, left)) != list(map(_kind, right)):
        yield from _other_layers(source, target, (_without(left, right), _without(right, left)))
        return
    begins = target[1].op == "Input"
    for ours, theirs in zip(left, right, strict=True):
        prefix = "input " if begins and ours.op in INPUT_SCALING else ""
        differing = _attributes(ours, theirs, is_same)
        yield from ((ours.name, theirs.name, f"{prefix}{key}", values) for key, values in differing)


def _other_layers(source: Side, target: Side, odd: tuple[list[Layer], list[Layer]]) -> Iterator[Said]:
    """What is said of layers that one of the paths alone has: nothing where one is not known."""
    ops = {layer.op for side in odd for layer in side}
    if ops and not ops & UNKNOWN:
        begins = target[1].op == "Input"
        name = "input scaling" if begins and ops <= INPUT_SCALING else "layers before it"
        yield source[3].name, target[3].name, name, (_listed(odd[0]), _listed(odd[1]))


def _in_training(source: Side, target: Side, is_same: Callable[[Any, Any], bool]) -> Iterator[Said]:
    """Dropout and noise, where they do anything."""
    left, right = _training_layers(source), _training_layers(target)
    if len(left) != len(right):
        yield source[3].name, target[3].name, "dropout before it", (_listed(left), _listed(right))
        return
    for ours, theirs in zip(left, right, strict=True):
        if not is_same(_strength(ours), _strength(theirs)):
            yield ours.name, theirs.name, "rate", (_strength(ours), _strength(theirs))


def _training_layers(side: Side) -> list[Layer]:
    return [layer for layer in side[2] if layer.op in IN_TRAINING and _strength(layer)]


def _strength(layer: Layer) -> Any:
    return layer.attributes.get("rate", layer.attributes.get("stddev", 0))


def _acting(side: Side) -> list[Layer]:
    """The layers that change values, but for those that count as attributes of the layers at both ends."""
    graph, begins, path, ends = side
    found = [
        x for x in path if x.op not in NEUTRAL | IN_TRAINING and x.attributes.get("activation") != "linear"
    ]
    own = begins.attributes.get("activation", "linear")
    taken = takes_activation(begins) and own == "linear" and len(graph.children[begins.name]) == 1
    first = next((i for i, x in enumerate(found) if not is_seen_through(x)), None)
    if taken and first is not None and found[first].op == "Activation":
        del found[first]
    while found and ends.op in FORWARD_CONVOLUTIONS and found[-1].op == "Pad":
        del found[-1]
    return found


def _kind(layer: Layer) -> tuple[str, str]:
    """Two pools of one kind are compared even where one of them covers everything."""
    if layer.op in POOLS:
        return "Pool", ""
    return layer.op, layer.class_name if layer.op in UNKNOWN else ""


def _attributes(
    x: Layer, y: Layer, is_same: Callable[[Any, Any], bool]
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Attributes that both sides know and that differ; an amount of padding is not known where one side says
    no more than `same`.
    """
    for key in sorted(x.attributes.keys() & y.attributes.keys() - UNSAID):
        a, b = x.attributes[key], y.attributes[key]
        if not is_same(a, b) and not (key == "padding" and isinstance(a, str) != isinstance(b, str)):
            yield key, (a, b)


def _without(layers: Iterable[Layer], others: Iterable[Layer]) -> list[Layer]:
    """The layers that the other path has nothing equal for, in whatever order."""
    left = Counter(map(_text, others))
    found = []
    for layer in layers:
        left[_text(layer)] -= 1
        if left[_text(layer)] < 0:
            found.append(layer)
    return found


def _text(layer: Layer) -> str:
    attributes: Mapping[str, Any] = {k: v for k, v in sorted(layer.attributes.items()) if k not in UNSAID}
    return f"{_kind(layer)} {attributes}"


def _listed(layers: Iterable[Layer]) -> str:
    return ", ".join(f"{layer.op} {layer.name}" for layer in layers) or "nothing"
