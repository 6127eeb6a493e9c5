"""Recurrent weights as Keras 1 keeps them: one tensor for each gate."""

from typing import Any

from weightbridge.matching.units.units import Unit
from weightbridge.model.layouts import OLD_GATES
from weightbridge.model.tensors import Tensor

Several = tuple[tuple[str, ...], str, dict[str, Any]]


def joined_gates(source: Unit, role: str, wanted: Tensor) -> Several | None:
    """The tensors that make up one of today's, in its order of gates, and how.

    None where the source does not keep them apart.
    """
    gates = [source.roles.get(f"{role}_{gate}") for gate in OLD_GATES.get(source.layer.op, "")]
    tensors = tuple(tensor for tensor in gates if tensor is not None)
    if not tensors or len(tensors) < len(gates) or len({tensor.shape for tensor in tensors}) > 1:
        return None
    *others, last = tensors[0].shape
    if (*others, last * len(tensors)) != wanted.shape:
        return None
    return tuple(tensor.name for tensor in tensors), "concatenate", {"axis": -1}
