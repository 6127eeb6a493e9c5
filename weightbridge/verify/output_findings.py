"""What is said of outputs: they differ (WB401), are never finite (WB405), have no partner (WB401)."""

from collections.abc import Sequence

from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.verify.compare import finding_of
from weightbridge.verify.floor import Expected
from weightbridge.verify.session import Session
from weightbridge.verify.values import Comparison


def differing(comparisons: Sequence[Comparison], where: tuple[str, str]) -> tuple[Finding, ...]:
    """One finding for each output that differs: its worst probe. where: a hint, and what to do next."""
    of_output: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        of_output.setdefault(comparison.name, []).append(comparison)
    worst = (_worst(own) for own in of_output.values())
    said = (finding_of(comparison, where) for comparison in worst if comparison is not None)
    return tuple(f for f in said if f is not None)


def _worst(comparisons: Sequence[Comparison]) -> Comparison | None:
    bad = (c for c in comparisons if c.is_different)
    return max(bad, key=lambda c: (c.status == "non-finite", c.ratio), default=None)


def never_finite(expected: Sequence[Expected], session: Session) -> tuple[Finding, ...]:
    """A model may leave the finite numbers on inputs that it was not made for, but not on all of them."""
    core = [one for one in expected if one.probe.core]
    names = [pair.reference for pair in session.outputs]
    return tuple(_never_finite(name) for name in names if not any(name in one.finite for one in core))


def _never_finite(name: str) -> Finding:
    message = f"output {name!r} of the source is NaN or Inf on every probe"
    fix = "look for NaN among the source's weights (WB106), or give inputs of its domain as probes"
    return finding("WB405", message, source=name, fix=fix)


def unpaired(session: Session) -> tuple[Finding, ...]:
    """Outputs of either side without a partner."""
    return tuple(_unpaired(name) for name in session.unpaired)


def _unpaired(name: str) -> Finding:
    message = f"output {name!r} has no counterpart of its shape in the other model"
    outputs = "compare models that have the same outputs"
    fix = f"{outputs}, or cut one at the layer that is meant (weightbridge features)"
    return finding("WB401", message, target=name, fix=fix)


def nothing_compared(reason: str) -> Finding:
    """WB504: zero comparisons are a failure."""
    fix = "give models that take the same inputs and give the same outputs"
    return finding("WB504", f"nothing was compared: {reason}", fix=fix)
