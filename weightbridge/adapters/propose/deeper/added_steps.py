"""Steps of layers that only the target has."""

from collections.abc import Mapping
from typing import Any

from weightbridge.matching.confidence import INSERTED
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Step


def added_step(
    tensor: Tensor, sources: tuple[str, ...], transform: str, parameters: Mapping[str, Any], cost: str
) -> Step:
    """A step that keeps the function; `cost` says in words what was put there.

    What reads nothing of the source is fresh, whatever it starts from.
    """
    return Step(
        target=tensor.name,
        sources=sources,
        kind="adapt" if sources else "fresh",
        contract="preserving",
        shape=tensor.shape,
        size=tensor.size,
        transform=transform,
        parameters=dict(parameters),
        confidence=INSERTED,
        evidence=("structure",),
        cost=cost,
    )


def is_added(step: Step) -> bool:
    """Whether a layer that only the target has starts as a copy of another."""
    return step.kind == "adapt" and step.contract == "preserving"


def own_start(tensor: Tensor, why: str) -> Step:
    """The target's own initial value, where it keeps the function."""
    return added_step(tensor, (), "", {}, why)


def filled(tensor: Tensor, value: float, why: str) -> Step:
    """One value everywhere."""
    return added_step(tensor, (), "fill", {"value": value}, why)
