"""Weights as Keras 1 and the Theano backend keep them: one tensor for each gate, kernels with other axes or
flipped in space.
"""

from typing import Any

from weightbridge.matching.units.units import Unit
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor

GATES = {"LSTM": "ifco", "GRU": "zrh"}  # in the order in which Keras 2 joins them
SPATIAL = {1: "w", 2: "h w", 3: "d h w"}
Transform = tuple[str, dict[str, Any]]


def joined_gates(source: Unit, role: str, wanted: Tensor) -> tuple[Tensor, ...]:
    """The tensors that make up one of today's, in its order of gates; () where the source does not keep them
    apart.
    """
    parts = [source.roles.get(f"{role}_{gate}") for gate in GATES.get(source.layer.op, "")]
    found = tuple(part for part in parts if part is not None)
    if not found or len(found) < len(parts) or len({part.shape for part in found}) > 1:
        return ()
    *others, last = found[0].shape
    return found if (*others, last * len(found)) == wanted.shape else ()


def is_stored_otherwise(source: Layer, target: Layer) -> bool:
    """Whether the kernels of two layers of one framework differ in axes or direction."""
    return any(
        source.attributes.get(key) != target.attributes.get(key) for key in ("kernel_axes", "kernel_flipped")
    )


def older_kernel(source: Layer, target: Layer, given: Tensor, wanted: Tensor) -> Transform | None:
    """How a convolution kernel of one Keras becomes one of another: its axes in the target's order, turned
    over where one side is.
    """
    rank = len(given.shape) - 2
    if rank not in SPATIAL or len(wanted.shape) != len(given.shape):
        return None
    orders = [_axes(layer, rank) for layer in (source, target)]
    lengths = dict(zip(orders[0], given.shape, strict=True))
    if tuple(lengths[axis] for axis in orders[1]) != wanted.shape:
        return None
    pattern = f"{' '.join(orders[0])} -> {' '.join(orders[1])}" if orders[0] != orders[1] else ""
    if bool(source.attributes.get("kernel_flipped")) == bool(target.attributes.get("kernel_flipped")):
        return pattern, {}
    axes = [n for n, axis in enumerate(orders[0]) if axis not in ("o", "i")]
    return "flip", {"axes": axes, **({"pattern": pattern} if pattern else {})}


def _axes(layer: Layer, rank: int) -> list[str]:
    space = SPATIAL[rank].split()
    return ["o", "i", *space] if layer.attributes.get("kernel_axes") else [*space, "i", "o"]
