"""The channels of a layer's values.

Where they stand, how many there are, and what its activation does.
"""

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import keeps_channels_first


def channels_first(graph: LayerGraph, layer: Layer) -> bool:
    """Whether the grid comes after the channels in this layer's input."""
    return keeps_channels_first(graph) or layer.attributes.get("data_format") == "channels_first"


def is_along_channels(graph: LayerGraph, layer: Layer) -> bool:
    """Whether the axis that a layer names (Concat's) is that of the channels."""
    axis = layer.attributes.get("axis", -1)
    rank = len(layer.output_shape or ()) + 1
    return axis == 1 if channels_first(graph, layer) else axis in (-1, rank - 1)


def width_of(graph: LayerGraph, layer: Layer) -> int | None:
    """How many channels a layer writes, None where nothing tells."""
    for name in ("filters", "units", "output_dim"):
        if isinstance(layer.attributes.get(name), int):
            return int(layer.attributes[name])
    shape = layer.output_shape or layer.attributes.get("shape")
    if not shape:
        return None
    is_first = channels_first(graph, layer) and len(shape) > 1
    return shape[0] if is_first else shape[-1]


def activation_of(layer: Layer) -> str:
    """The name of a layer's activation, `None` where it has none."""
    activation = layer.attributes.get("activation")
    return str(activation[0] if isinstance(activation, tuple) else activation)
