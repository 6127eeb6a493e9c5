"""Steps of layers that only the target has."""

from collections.abc import Mapping
from typing import Any

from weightbridge.matching.confidence import INSERTED
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Step


def added_step(
    tensor: Tensor, sources: tuple[str, ...], transform: str, parameters: Mapping[str, Any], cost: str
) -> Step:
    """A step that keeps the function; `cost` says in words what was put there."""
    return Step(
        target=tensor.name,
        sources=sources,
        kind="adapt",
        contract="preserving",
        shape=tensor.shape,
        size=tensor.size,
        transform=transform,
        parameters=dict(parameters),
        confidence=INSERTED,
        evidence=("structure",),
        cost=cost,
    )


def filled(tensor: Tensor, value: float, why: str) -> Step:
    """One value everywhere."""
    return added_step(tensor, (), "fill", {"value": value}, why)
