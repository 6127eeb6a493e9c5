"""Numbers and names in sentences: counts, percentages, shapes, values."""

from collections.abc import Iterable, Mapping
from math import floor
from typing import Any


def counted(number: int, one: str, many: str = "") -> str:
    """`1 layer`, `2 layers`, `2,000 layers`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(fraction: float) -> str:
    """Rounded down: 100 % is said of nothing less."""
    return f"{floor(fraction * 10_000 + 1e-9) / 100:.2f} %"


def dimensions(shape: Iterable[int | None] | None) -> str:
    """`3x3x64`; a scalar is `()`, an unknown length `?`, an unknown shape nothing."""
    return "" if shape is None else "x".join("?" if n is None else str(n) for n in shape) or "()"


def measured(number: float | None) -> str:
    """A measured number in three digits."""
    if number is None:
        return "-"
    return f"{number:.3g}"


def how(step: Mapping[str, Any]) -> str:
    """How a step gives its tensor a value, and what that costs: `adapt select; 7 of 10 classes kept`."""
    kept = step["energy_kept"]
    parts = (
        f"{step['kind']} {step['transform']}".strip(),
        step["cost"],
        "" if kept is None or kept == 1 or not step["sources"] else f"{percent(kept)} of the energy kept",
    )
    return "; ".join(part for part in parts if part)


def sure(step: Mapping[str, Any]) -> str:
    """Its confidence rounded down: 1.00 is said only where there is no other mapping."""
    return f"{floor(step['confidence'] * 100 + 1e-9) / 100:.2f}"


def megabytes(size: int) -> str:
    """`87.3 MB`, `12.0 kB`."""
    if size >= 1_000_000:
        return f"{size / 1_000_000:,.1f} MB"
    return f"{size / 1000:,.1f} kB"


def said(value: Any) -> str:
    """A value of the verification as a person reads it."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case int():
            return f"{value:,}"
        case list():
            return ", ".join(map(said, value)) or "none"
        case Mapping():
            return "; ".join(f"{key} {said(one)}" for key, one in value.items()) or "none"
    return str(value)
