"""Weights as Keras 1 and the Theano backend keep them: one tensor for each gate, kernels with other axes or flipped in space."""

from typing import Any

from weightbridge.graph import Layer
from weightbridge.matching.units import Unit
from weightbridge.tensors import Tensor

GATES = {"LSTM": "ifco", "GRU": "zrh"}  # in the order in which Keras 2 joins them
SPATIAL = {1: "w", 2: "h w", 3: "d h w"}
Transform = tuple[str, dict[str, Any]]


def joined_gates(source: Unit, role: str, wanted: Tensor) -> tuple[Tensor, ...]:
    """The tensors that make up one of today's, in its order of gates; () where the source does not keep them apart."""
    parts = [source.roles.get(f"{role}_{gate}") for gate in GATES.get(source.layer.op, "")]
    found = tuple(part for part in parts if part is not None)
    if not found or len(found) < len(parts) or len({part.shape for part in found}) > 1:
        return ()
    *others, last = found[0].shape
    return found if (*others, last * len(found)) == wanted.shape else ()


def is_stored_otherwise(source: Layer, target: Layer) -> bool:
    """Whether the kernels of two layers of one framework differ in axes or direction."""
    return any(source.attributes.get(key) != target.attributes.get(key) for key in ("kernel_axes", "kernel_flipped"))


def older_kernel(source: Layer, target: Layer, given: Tensor, wanted: Tensor) -> Transform | None:
    """How an older convolution kernel becomes one of today's; None where the shapes do not agree or the target is older too."""
    rank = len(given.shape) - 2
    if rank not in SPATIAL or target.attributes.get("kernel_axes") or target.attributes.get("kernel_flipped"):
        return None
    turned = bool(source.attributes.get("kernel_axes"))
    shape = (*given.shape[2:], given.shape[1], given.shape[0]) if turned else given.shape
    if shape != wanted.shape:
        return None
    pattern = f"o i {SPATIAL[rank]} -> {SPATIAL[rank]} i o" if turned else ""
    if not source.attributes.get("kernel_flipped"):
        return pattern, {}
    axes = list(range(2, 2 + rank)) if turned else list(range(rank))
    return "flip", {"axes": axes, **({"pattern": pattern} if pattern else {})}
