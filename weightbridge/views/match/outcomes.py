"""What a comparison says of layers: equal, the first that differs, or after it."""

from collections.abc import Mapping
from typing import Any, Literal

Json = Mapping[str, Any]
Outcome = Literal["equal", "first", "after"]
DIFFERS = frozenset({"differs", "non-finite"})


def outcomes(report: Json, side: str) -> dict[str, Outcome]:
    """By the name of the layer on this side; those that were not compared are missing."""
    found: dict[str, Outcome] = {}
    for layer in report["verification"]["layers"]:
        outcome = outcome_of(layer.get("status"), has_first="first" in found.values())
        name = layer.get(side) or layer.get("name")
        if outcome and isinstance(name, str):
            found.setdefault(name, outcome)
    return found


def outcome_of(status: Any, *, has_first: bool) -> Outcome | None:
    """has_first: whether a layer before it differs."""
    if status in DIFFERS:
        return "after" if has_first else "first"
    return "equal" if status == "equal" else None


def worst(found: "list[Outcome]") -> Outcome | None:
    """Of a block's layers: the first that differs makes it first."""
    order: tuple[Outcome, ...] = ("first", "after", "equal")
    return next((outcome for outcome in order if outcome in found), None)
