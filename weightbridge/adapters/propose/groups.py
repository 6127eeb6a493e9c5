"""Channel axes that must agree by the data flow: one map must serve them all, or residual sums break.

Elementwise merges, normalisation, activations, pooling and depthwise convolutions tie axes; Concat lists them
in order; Flatten repeats them for every place of the grid.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from weightbridge.adapters.projections import OUTPUT, projection_of, projections
from weightbridge.adapters.propose.layer_channels import (
    activation_of,
    channels_first,
    is_along_channels,
    width_of,
)
from weightbridge.adapters.propose.ties import Axis, Ties, all_leaves, final, fresh_axis, length, mark, tie
from weightbridge.model.graph import Layer, LayerGraph, Shape
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


def channel_groups(graph: LayerGraph) -> Groups:
    """The groups of a graph with data flow.

    Layers whose channels are not known read and write rigid groups of their own.
    """
    ties = Ties(graph)
    for layer in graph.layers:
        feeding = [ties.written[p] for p in graph.parents[layer.name] if p in ties.written]
        if feeding:
            ties.read[layer.name] = feeding[0]
        written = _written(ties, layer, feeding)
        written = _as_first_call(ties, layer, written)
        if written is not None:
            ties.written[layer.name] = written
    return _settled(ties)


def _settled(ties: Ties) -> Groups:
    """The groups as they are when all layers are read."""
    read = {name: final(ties, axis) for name, axis in ties.read.items()}
    written = {name: final(ties, axis) for name, axis in ties.written.items()}
    used = {group for axis in (*read.values(), *written.values()) for group in axis.parts}
    inputs = [layer.name for layer in ties.graph.layers if layer.op == "Input"]
    return Groups(
        read,
        written,
        {group: ties.size[group] for group in sorted(used)},
        frozenset(all_leaves(ties, ties.rigid)),
        frozenset(all_leaves(ties, ties.even)),
        _groups_of(written, inputs),
        _groups_of(written, ties.graph.outputs),
    )


def _groups_of(written: Mapping[str, Axis], names: Iterable[str]) -> frozenset[int]:
    return frozenset(group for name in names if name in written for group in written[name].parts)


def _written(ties: Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis | None:
    size = width_of(ties.graph, layer)
    if layer.op in PRODUCERS:
        return _produced(ties, layer, size)
    if not feeding:
        return fresh_axis(ties, size, rigid=True)
    if layer.op in SPECIAL:
        return SPECIAL[layer.op](ties, layer, feeding)
    if layer.op in ELEMENTWISE_MERGES:
        return _merged(ties, layer, feeding)
    return _passed(ties, layer, feeding) if layer.op in KEEPING_CHANNELS else _unknown(ties, layer, feeding)


def _produced(ties: Ties, layer: Layer, size: int | None) -> Axis | None:
    if projection_of(layer) == OUTPUT and (kernel := layer.tensor("kernel")) is not None:
        size = kernel.shape[-1]
    return fresh_axis(ties, size, rigid=activation_of(layer) in MIXING)


def _passed(ties: Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis:
    axis = feeding[0]
    if activation_of(layer) in MIXING:
        mark(ties.rigid, ties, axis)
    if layer.op in LAYER_STATISTICS_NORMS:
        mark(ties.even, ties, axis)
    factor = int(layer.attributes.get("depth_multiplier", 1)) if layer.op == "DepthwiseConv" else 1
    return replace(axis, inner=axis.inner * factor)


def _merged(ties: Ties, _: Layer, feeding: Sequence[Axis]) -> Axis:
    """Elementwise: all inputs of full width share their groups; a width of one is broadcast."""
    full = max(feeding, key=lambda axis: length(ties, axis))
    for axis in feeding:
        if axis is not full and length(ties, axis) == length(ties, full):
            tie(ties, axis, full)
    return full


def _concatenated(ties: Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis | None:
    total = sum(length(ties, axis) for axis in feeding)
    if not is_along_channels(ties.graph, layer) or width_of(ties.graph, layer) not in (None, total):
        return _merged(ties, layer, feeding)
    if any(axis.outer > 1 or axis.inner > 1 for axis in feeding):
        return _unknown(ties, layer, feeding)
    return Axis(tuple(g for axis in feeding for g in axis.parts))


def _flattened(ties: Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis | None:
    axis = feeding[0]
    shape = _shape_before(ties, layer)
    if shape is None or None in shape or axis.outer > 1 or axis.inner > 1:
        return _unknown(ties, layer, feeding)
    places = prod(n for n in shape if n is not None) // max(length(ties, axis), 1)
    return replace(axis, inner=places) if channels_first(ties.graph, layer) else replace(axis, outer=places)


def _reshaped(ties: Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis | None:
    shape, before = layer.output_shape, _shape_before(ties, layer)
    if not shape:
        return _unknown(ties, layer, feeding)
    last_before = before[-1] if before else None
    keeps_last = shape[-1] == last_before == length(ties, feeding[0])
    if keeps_last and not channels_first(ties.graph, layer):
        return feeding[0]
    return _flattened(ties, layer, feeding) if len(shape) == 1 else _unknown(ties, layer, feeding)


def _shape_before(ties: Ties, layer: Layer) -> Shape | None:
    first = ties.graph.parents[layer.name][0]
    return ties.graph.by_name[first].output_shape


def _unknown(ties: Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis | None:
    for axis in feeding:
        mark(ties.rigid, ties, axis)
    return fresh_axis(ties, width_of(ties.graph, layer), rigid=True)


def _attended(ties: Ties, layer: Layer, feeding: Sequence[Axis]) -> Axis | None:
    """Queries meet keys in a scaled dot product, which no map keeps; the values' channels pass through."""
    if projections(ties.graph, layer.name):
        return feeding[0]  # that of the output's projection; masks come behind it
    for axis in feeding[:-1]:
        mark(ties.rigid, ties, axis)
    return feeding[-1]


def _as_first_call(ties: Ties, layer: Layer, written: Axis | None) -> Axis | None:
    """A layer that is called again has the weights of its first call, and so its channels."""
    first = str(layer.attributes.get("shared_with", ""))
    for side, again in ((ties.read, ties.read.get(layer.name)), (ties.written, written)):
        if first in side and again is not None:
            tie(ties, again, side[first])
    return ties.written.get(first, written)


Handler = Callable[[Ties, Layer, Sequence[Axis]], Axis | None]
SPECIAL: dict[str, Handler] = {
    "Concat": _concatenated,
    "Flatten": _flattened,
    "Reshape": _reshaped,
    "Attention": _attended,
}
