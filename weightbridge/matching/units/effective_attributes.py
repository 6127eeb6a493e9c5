"""A layer's attributes as they act.

With the padding layer before it and the activation behind it taken in.
"""

from collections.abc import Mapping
from typing import Any

from weightbridge.matching.units.cut_off import cut_off
from weightbridge.matching.units.directions import direction_of
from weightbridge.matching.units.unit_names import DEPTHWISE, FUSED_PART, parse_unit_name
from weightbridge.matching.units.units import Unit
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import (
    ACTIVATED,
    CHANNEL_AFFINE,
    COPIES,
    FORWARD_CONVOLUTIONS,
    LAYER_STATISTICS_NORMS,
    NORMS,
    PASSING,
    UNKNOWN,
    VIEWS,
)

NORMED_OR_ACTIVATED = ACTIVATED | NORMS
PASSED = COPIES | {"Dropout", "Permute"}  # between a layer and its padding
KEEPING_PLACES = frozenset({"Crop", "Repeat", "Slice"})  # that take some values, as they are
SEEN_THROUGH = PASSING | VIEWS | CHANNEL_AFFINE | LAYER_STATISTICS_NORMS | KEEPING_PLACES
QUANTISING = ("scale", "zero_point")  # details of a Cast that clips


def effective(graph: LayerGraph, layer: Layer) -> Mapping[str, Any]:
    """Attributes, with the zero padding right before in `padding`.

    `activation` is the one right behind where the layer itself is linear.
    """
    attributes = dict(layer.attributes)
    if layer.op in FORWARD_CONVOLUTIONS and "padding" in attributes:
        attributes["padding"] = _padding(graph, layer)
    if takes_activation(layer) and graph.has_flow:
        attributes["activation"] = _activation(graph, layer)
    if layer.op == "ConvTranspose" and "padding" in attributes:
        attributes["padding"] = cut_off(graph, layer)
    if layer.op not in FORWARD_CONVOLUTIONS | {"ConvTranspose"}:
        attributes.pop("padding", None)
    return {name: value for name, value in attributes.items() if value is not None}


def takes_activation(layer: Layer) -> bool:
    """Whether an activation behind it counts as its own: also of an unknown class that names one itself."""
    is_own_class = layer.op in UNKNOWN and "activation" in layer.attributes
    return layer.op in NORMED_OR_ACTIVATED or is_own_class


def effective_of(graph: LayerGraph, unit: Unit) -> Mapping[str, Any]:
    """Those of a unit's layer; a part of a fused one has the activation that follows this part."""
    attributes = effective(graph, unit.layer)
    if unit.part is None or len(unit.part.layers) != 1:
        return attributes
    return {**attributes, "activation": _activation(graph, graph.by_name[unit.part.layers[0]])}


def of_unit(unit: str, layer: Layer, other: Layer, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes that count for one direction of a bidirectional layer, or for one half of a separable
    convolution.
    """
    part = parse_unit_name(unit).part
    if part.startswith(FUSED_PART):  # each part is followed by its own activation, if any
        return _without(attributes, "activation")
    if {layer.op, other.op} == {"Conv", "DepthwiseConv"}:  # groups to one side are a class to the other
        return _without(attributes, "groups", "depth_multiplier")
    if direction_of(unit) == 1:
        return {**attributes, "go_backwards": True}
    if layer.op != "SeparableConv" or other.op == layer.op:
        return attributes
    if other.op == "Conv" and other.attributes.get("kernel_size") == layer.attributes.get("kernel_size"):
        return _without(attributes, "groups", "depth_multiplier")  # the plain one that it amounts to
    if part == DEPTHWISE:
        return _without(attributes, "activation")
    return {"activation": attributes["activation"]} if "activation" in attributes else {}


def _without(attributes: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return {name: value for name, value in attributes.items() if name not in names}


def _padding(graph: LayerGraph, layer: Layer) -> Any:
    own = layer.attributes["padding"]
    passed = PASSED | {"Reshape"} if len(own) == 1 else PASSED  # Conv1D in two dimensions
    before = _single(graph.parents[layer.name], graph)
    while before is not None and before.op in passed:
        before = _single(graph.parents[before.name], graph)
    outer = None if before is None or not _pads_zeros(before) else before.attributes.get("padding")
    if isinstance(own, str) or not isinstance(outer, tuple) or len(outer) != len(own):
        return own
    return tuple((a + c, b + d) for (a, b), (c, d) in zip(own, outer, strict=True))


def _pads_zeros(layer: Layer) -> bool:
    is_constant = layer.attributes.get("mode", "constant") == "constant"
    return layer.op == "Pad" and is_constant and layer.attributes.get("value", 0) == 0


def _activation(graph: LayerGraph, layer: Layer) -> Any:
    own = layer.attributes.get("activation", "linear")
    if own != "linear":
        return own
    after = _behind(graph, layer)
    if after is None:
        return "linear"
    if after.op in UNKNOWN or _clips(after):
        return None
    return after.attributes.get("activation") if _is_activation(after) else "linear"


def _is_activation(layer: Layer) -> bool:
    return layer.op == "Activation" and not layer.tensors


def _clips(layer: Layer) -> bool:
    """A quantiser cuts values off where its integers end, which may be an activation's work too."""
    return layer.op == "Cast" and any(layer.settings.get(name) is not None for name in QUANTISING)


def activation_behind(graph: LayerGraph, layer: Layer) -> Layer | None:
    """The layer of its own that activates a linear one, where all between them only passes values on."""
    after = _behind(graph, layer)
    return after if after is not None and _is_activation(after) else None


def _behind(graph: LayerGraph, layer: Layer) -> Layer | None:
    after = _single(graph.children[layer.name], graph)
    while (
        after is not None
        and is_seen_through(after)
        and not _clips(after)
        and after.attributes.get("activation", "linear") == "linear"
    ):
        after = _single(graph.children[after.name], graph)
    return after


def is_seen_through(layer: Layer) -> bool:
    """A maximum may be taken before or after an activation.

    Those that are in use rise, and keep the order of what they are given.
    """
    return layer.op in SEEN_THROUGH or (layer.op == "Pool" and layer.attributes.get("kind") == "max")


def _single(names: tuple[str, ...], graph: LayerGraph) -> Layer | None:
    return graph.by_name[names[0]] if len(names) == 1 else None
