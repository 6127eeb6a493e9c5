"""Channel axes that must agree, by union-find over the data flow: what one map must serve, or residual sums
break.

Elementwise merges, normalisation, activations, pooling and depthwise convolutions tie axes; Concat lists them
in order; Flatten
repeats them for every place of the grid.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import keeps_channels_first
from weightbridge.model.vocabulary import (
    AFFINE,
    CONVOLUTIONS,
    DENSE,
    ELEMENTWISE_MERGES,
    INPUT_SCALING,
    LAYER_STATISTICS_NORMS,
    NORMS,
    PASSING,
    RECURRENT,
    SPATIAL,
)

PRODUCERS = CONVOLUTIONS - {"DepthwiseConv"} | DENSE | RECURRENT | {"Embedding", "Input"}
KEEPING_CHANNELS = (
    NORMS | AFFINE | INPUT_SCALING | SPATIAL | PASSING | {"Activation", "DepthwiseConv", "Masking", "Repeat"}
)
MIXING = frozenset({"softmax", "log_softmax", "glu"})  # activations that look at all channels together


@dataclass(frozen=True, slots=True)
class Axis:
    """A channel axis: `outer` repetitions of the concatenated groups, every channel `inner` times in a row."""

    parts: tuple[int, ...]
    outer: int = 1
    inner: int = 1


@dataclass(frozen=True, slots=True)
class Groups:
    """Per layer the channel axis it reads and the one it writes; per group its size.

    rigid: groups that something mixes (softmax, an unknown layer), so that no map keeps the function.
    even: groups that LayerNorm or the like averages over, so that only whole multiples keep the function.
    """

    read: Mapping[str, Axis]
    written: Mapping[str, Axis]
    sizes: Mapping[int, int]
    rigid: frozenset[int] = frozenset()
    even: frozenset[int] = frozenset()
    entering: frozenset[int] = frozenset()
    leaving: frozenset[int] = frozenset()

    def length(self, axis: Axis) -> int:
        return axis.outer * axis.inner * sum(self.sizes[g] for g in axis.parts)


@dataclass(slots=True)
class _Ties:
    """Union-find over groups under construction; a group that meets a Concat is split into the Concat's
    parts.
    """

    graph: LayerGraph
    size: list[int] = field(default_factory=list)
    same: list[int] = field(default_factory=list)
    split: dict[int, tuple[int, ...]] = field(default_factory=dict)
    rigid: set[int] = field(default_factory=set)
    even: set[int] = field(default_factory=set)
    read: dict[str, Axis] = field(default_factory=dict)
    written: dict[str, Axis] = field(default_factory=dict)


def channel_groups(graph: LayerGraph) -> Groups:
    """The groups of a graph with data flow; layers whose channels are not known read and write rigid groups
    of their own.
    """
    ties = _Ties(graph)
    for layer in graph.layers:
        feeding = [ties.written[p] for p in graph.parents[layer.name] if p in ties.written]
        if feeding:
            ties.read[layer.name] = feeding[0]
        written = _written(ties, layer, feeding)
        written = _as_first_call(ties, layer, written)
        if written is not None:
            ties.written[layer.name] = written
    return _settled(ties)


def _settled(ties: _Ties) -> Groups:
    read, written = (
        {name: _final(ties, axis) for name, axis in side.items()} for side in (ties.read, ties.written)
    )
    used = {g for axis in (*read.values(), *written.values()) for g in axis.parts}
    graph = ties.graph
    entering = {
        g
        for layer in graph.layers
        if layer.op == "Input" and layer.name in written
        for g in written[layer.name].parts
    }
    leaving = {g for name in graph.outputs if name in written for g in written[name].parts}
    rigid, even = (frozenset(p for g in marks for p in _leaves(ties, g)) for marks in (ties.rigid, ties.even))
    return Groups(
        read,
        written,
        {g: ties.size[g] for g in sorted(used)},
        rigid,
        even,
        frozenset(entering),
        frozenset(leaving),
    )


def _written(ties: _Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis | None:
    size = _width(ties.graph, layer)
    if layer.op in PRODUCERS:
        return _produced(ties, layer, size)
    if not feeding:
        return _fresh(ties, size, rigid=True)
    handler = SPECIAL.get(layer.op) or (
        _merged if layer.op in ELEMENTWISE_MERGES else _passed if layer.op in KEEPING_CHANNELS else _unknown
    )
    return handler(ties, layer, feeding)


def _produced(ties: _Ties, layer: Layer, size: int | None) -> Axis | None:
    return _fresh(ties, size, rigid=activation_of(layer) in MIXING)


def _passed(ties: _Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis:
    axis = feeding[0]
    if activation_of(layer) in MIXING:
        _mark(ties.rigid, ties, axis)
    if layer.op in LAYER_STATISTICS_NORMS:
        _mark(ties.even, ties, axis)
    factor = int(layer.attributes.get("depth_multiplier", 1)) if layer.op == "DepthwiseConv" else 1
    return replace(axis, inner=axis.inner * factor)


def _merged(ties: _Ties, _: Layer, feeding: Sequence[Axis]) -> Axis:
    """Elementwise: all inputs of full width share their groups; a width of one is broadcast."""
    full = max(feeding, key=lambda axis: _length(ties, axis))
    for axis in feeding:
        if axis is not full and _length(ties, axis) == _length(ties, full):
            _tie(ties, axis, full)
    return full


def _concatenated(ties: _Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis | None:
    width, total = _width(ties.graph, layer), sum(_length(ties, axis) for axis in feeding)
    if not _along_channels(ties.graph, layer) or (width is not None and width != total):
        return _merged(ties, layer, feeding)
    if any(axis.outer > 1 or axis.inner > 1 for axis in feeding):
        return _unknown(ties, layer, feeding)
    return Axis(tuple(g for axis in feeding for g in axis.parts))


def _flattened(ties: _Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis | None:
    axis, shape = feeding[0], ties.graph.by_name[ties.graph.parents[layer.name][0]].output_shape
    if shape is None or None in shape or axis.outer > 1 or axis.inner > 1:
        return _unknown(ties, layer, feeding)
    places = prod(n for n in shape if n is not None) // max(_length(ties, axis), 1)
    return replace(axis, inner=places) if channels_first(ties.graph, layer) else replace(axis, outer=places)


def _reshaped(ties: _Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis | None:
    shape, before = layer.output_shape, ties.graph.by_name[ties.graph.parents[layer.name][0]].output_shape
    if (
        shape
        and before
        and shape[-1] == before[-1] == _length(ties, feeding[0])
        and not channels_first(ties.graph, layer)
    ):
        return feeding[0]
    if shape and len(shape) == 1:
        return _flattened(ties, layer, feeding)
    return _unknown(ties, layer, feeding)


def _unknown(ties: _Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis | None:
    for axis in feeding:
        _mark(ties.rigid, ties, axis)
    return _fresh(ties, _width(ties.graph, layer), rigid=True)


def _attended(ties: _Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis | None:
    """Queries meet keys in a scaled dot product, which no map keeps; the values' channels pass through."""
    for axis in feeding[:-1]:
        _mark(ties.rigid, ties, axis)
    return feeding[-1]


def _as_first_call(ties: _Ties, layer: Layer, written: Axis | None) -> Axis | None:
    """A layer that is called again has the weights of its first call, and so its channels."""
    first = str(layer.attributes.get("shared_with", ""))
    for side, again in ((ties.read, ties.read.get(layer.name)), (ties.written, written)):
        if first in side and again is not None:
            _tie(ties, again, side[first])
    return ties.written.get(first, written)


Handler = Callable[[_Ties, Layer, Sequence[Axis]], Axis | None]
SPECIAL: dict[str, Handler] = {
    "Concat": _concatenated,
    "Flatten": _flattened,
    "Reshape": _reshaped,
    "Attention": _attended,
}


def channels_first(graph: LayerGraph, layer: Layer) -> bool:
    """Whether the grid comes after the channels in this layer's input."""
    return keeps_channels_first(graph) or layer.attributes.get("data_format") == "channels_first"


def _along_channels(graph: LayerGraph, layer: Layer) -> bool:
    axis, rank = layer.attributes.get("axis", -1), len(layer.output_shape or ()) + 1
    return axis == 1 if channels_first(graph, layer) else axis in (-1, rank - 1)


def _width(graph: LayerGraph, layer: Layer) -> int | None:
    for name in ("filters", "units", "output_dim"):
        if isinstance(layer.attributes.get(name), int):
            return int(layer.attributes[name])
    shape = layer.output_shape or layer.attributes.get("shape")
    return shape[0 if channels_first(graph, layer) and len(shape) > 1 else -1] if shape else None


def activation_of(layer: Layer) -> str:
    """The name of a layer's activation, `None` where it has none."""
    activation = layer.attributes.get("activation")
    return str(activation[0] if isinstance(activation, tuple) else activation)


def _fresh(ties: _Ties, size: int | None, *, rigid: bool = False) -> Axis | None:
    if size is None:
        return None
    ties.size.append(size)
    ties.same.append(len(ties.same))
    if rigid:
        ties.rigid.add(len(ties.same) - 1)
    return Axis((len(ties.same) - 1,))


def _root(ties: _Ties, group: int) -> int:
    while ties.same[group] != group:
        group = ties.same[group] = ties.same[ties.same[group]]
    return group


def _leaves(ties: _Ties, group: int) -> tuple[int, ...]:
    root = _root(ties, group)
    return (
        tuple(g for part in ties.split[root] for g in _leaves(ties, part)) if root in ties.split else (root,)
    )


def _final(ties: _Ties, axis: Axis) -> Axis:
    return replace(axis, parts=tuple(g for part in axis.parts for g in _leaves(ties, part)))


def _length(ties: _Ties, axis: Axis) -> int:
    return axis.outer * axis.inner * sum(ties.size[g] for g in axis.parts)


def _mark(marks: set[int], ties: _Ties, axis: Axis) -> None:
    marks.update(_final(ties, axis).parts)


def _tie(ties: _Ties, one: Axis, two: Axis) -> None:
    """Joins two axes part by part; where one side is coarser it is split at the other's borders."""
    if (one.outer, one.inner) != (two.outer, two.inner):
        _mark(ties.rigid, ties, one)
        _mark(ties.rigid, ties, two)
        return
    left, right = list(_final(ties, one).parts), list(_final(ties, two).parts)
    while left and right:
        left[:1], right[:1] = _leaves(ties, left[0]), _leaves(ties, right[0])
        a, b = left.pop(0), right.pop(0)
        if a == b:
            continue
        if ties.size[a] == ties.size[b]:
            ties.same[a] = b
        elif ties.size[a] > ties.size[b]:
            left.insert(0, _cut(ties, a, b))
        else:
            right.insert(0, _cut(ties, b, a))


def _cut(ties: _Ties, whole: int, first: int) -> int:
    """Splits `whole` into `first` and a rest, which is returned."""
    rest = _fresh(ties, ties.size[whole] - ties.size[first])
    assert rest is not None
    ties.split[whole] = (first, rest.parts[0])
    return rest.parts[0]
