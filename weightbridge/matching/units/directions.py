"""Bidirectional layers that one side keeps as one (both directions along the first axis) and the other as
two.
"""

from dataclasses import replace
from typing import Any

from weightbridge.matching.units.unit_names import BACKWARD, FORWARD, parse_unit_name
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor

Transform = tuple[str, dict[str, Any]]


def is_twofold(layer: Layer) -> bool:
    """Whether a layer's tensors hold both directions."""
    return (
        layer.attributes.get("direction") == "bidirectional"
        and bool(layer.tensors)
        and all(t.shape[:1] == (2,) for t in layer.tensors)
    )


def is_backward(unit: str, layer: Layer) -> bool:
    """Whether a recurrent unit runs from the last step to the first, as far as the layer, its path or the
    unit's name says.
    """
    if direction_of(unit) is not None:
        return direction_of(unit) == 1
    return bool(layer.attributes.get("go_backwards")) or any(
        part.startswith("backward") for part in layer.name.lower().split("/")
    )


def direction_of(unit: str) -> int | None:
    """The index of a unit's direction in its layer's tensors, None for a whole layer."""
    return {FORWARD: 0, BACKWARD: 1}.get(parse_unit_name(unit).part)


def one_direction(tensor: Tensor) -> Tensor:
    """The tensor as a layer of one direction would have it."""
    return replace(tensor, shape=(1, *tensor.shape[1:]))


def selected(found: Transform, direction: int) -> Transform:
    """What a transform of a layer of one direction is for one of two."""
    transform, parameters = found
    inner = {
        k: v.removeprefix("1 ") if k == "pattern" else v - 1 if k == "axis" else v
        for k, v in parameters.items()
    }
    return "select", {"index": direction, "inner": transform.removeprefix("1 "), "parameters": inner}
