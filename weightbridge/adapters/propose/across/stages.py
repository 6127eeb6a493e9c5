"""Stages of a convolutional network.

Its layers by cumulative downsampling, with their place in the stage and the norm behind them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.strides import cumulative_strides
from weightbridge.model.vocabulary import FORWARD_CONVOLUTIONS, INPUT_SCALING

NORMALISING = INPUT_SCALING | {"BatchNorm"}
MIN_CONVOLUTIONS, MIN_STAGES = 8, 2


@dataclass(frozen=True, slots=True)
class Unit:
    """A convolution or norm: the downsampling of what it writes, where in the stage it stands (0 to 1), taps,
    the norm that follows.
    """

    layer: Layer
    stride: Fraction
    place: float
    taps: int
    is_stem: bool = False
    norm: Layer | None = None


def convolutions(graph: LayerGraph) -> tuple[Unit, ...]:
    strides = cumulative_strides(graph)
    layers = [layer for layer in graph.layers if layer.op in FORWARD_CONVOLUTIONS and layer.tensors]
    places = _places(layers, strides)
    first = _reading_inputs(graph)
    return tuple(
        Unit(x, strides[x.name], places[x.name], _taps(x), x.name in first, norm_after(graph, x))
        for x in layers
    )


def _taps(layer: Layer) -> int:
    return prod(layer.attributes.get("kernel_size") or (1,))


def norms(graph: LayerGraph) -> tuple[Unit, ...]:
    strides = cumulative_strides(graph)
    layers = [layer for layer in graph.layers if layer.op == "BatchNorm" and layer.tensors]
    places = _places(layers, strides)
    return tuple(Unit(x, strides[x.name], places[x.name], 1) for x in layers)


def is_staged(graph: LayerGraph) -> bool:
    """A convolutional network of some depth, whose grid gets coarser on the way."""
    found = convolutions(graph) if graph.has_flow else ()
    return len(found) >= MIN_CONVOLUTIONS and len({unit.stride for unit in found}) >= MIN_STAGES


def _places(layers: list[Layer], strides: Mapping[str, Fraction]) -> Mapping[str, float]:
    stages: dict[Fraction, list[str]] = {}
    for layer in layers:
        stages.setdefault(strides[layer.name], []).append(layer.name)
    return {name: (n + 0.5) / len(names) for names in stages.values() for n, name in enumerate(names)}


def _reading_inputs(graph: LayerGraph) -> frozenset[str]:
    """The layers before which no layer with weights stands but a normalisation of the input."""
    found: set[str] = set()
    for layer in graph.layers:
        before = [graph.by_name[name] for name in graph.parents[layer.name]]
        if all(one.name in found and (not one.tensors or one.op in NORMALISING) for one in before):
            found.add(layer.name)
    return frozenset(found)


def norm_after(graph: LayerGraph, layer: Layer) -> Layer | None:
    after = [graph.by_name[child] for child in graph.children[layer.name]]
    return after[0] if len(after) == 1 and after[0].op == "BatchNorm" else None
