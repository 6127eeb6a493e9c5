"""Power: agreement that proves nothing, because the output is zero, constant, or drowned in its own noise."""

from collections.abc import Sequence

import numpy as np

from weightbridge.diagnostics import Finding, finding
from weightbridge.verify.compare import limit_of
from weightbridge.verify.floor import Expected
from weightbridge.verify.values import Comparison


def powerless(
    comparisons: Sequence[Comparison], expected: Sequence[Expected]
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Warnings and reasons, one for each output of which no comparison proves anything."""
    found = [
        _of(name, [c for c in comparisons if c.name == name], expected)
        for name in dict.fromkeys(c.name for c in comparisons)
    ]
    findings = tuple(f for f in found if f is not None)
    return findings, tuple(f.message for f in findings)


def is_constant(name: str, expected: Sequence[Expected]) -> bool:
    """Whether all items of all core probes give the same output but for noise; False where there is one item
    only.
    """
    items = [item for one in expected if one.probe.core and name in one.finite for item in one.values[name]]
    items = [item for item in items if item.shape == items[0].shape]
    if len(items) < 2:
        return False
    stacked = np.stack(items)
    energy = float(np.linalg.norm(stacked.ravel()))
    noise = max(one.floors[name] for one in expected if one.probe.core and name in one.finite)
    variation = float(np.linalg.norm((stacked - stacked.mean(axis=0)).ravel()))
    return variation <= limit_of(stacked.size) * noise * energy


def _of(name: str, comparisons: Sequence[Comparison], expected: Sequence[Expected]) -> Finding | None:
    statuses = {c.status for c in comparisons}
    if statuses & {"differs", "non-finite"}:
        return None
    if statuses <= {"zero-energy"}:
        message, fix = (
            f"output {name!r} of the source is all zero on every probe",
            "give inputs of its domain with --probe",
        )
        return finding("WB503", f"{message}: agreement proves nothing", target=name, fix=fix)
    if is_constant(name, expected):
        message = f"output {name!r} of the source is the same for every input: agreement proves nothing about the layers before it"
        return finding(
            "WB503",
            message,
            target=name,
            fix="look for dead layers or saturation; give inputs of its domain with --probe",
        )
    if "equal" not in statuses:
        floor = min(c.floor for c in comparisons if c.status == "ill-conditioned")
        least = min(c.limit for c in comparisons) * floor
        message = f"output {name!r} carries so much noise (relative {floor:.2g}) that only changes above {least:.1%} show"
        return finding(
            "WB406",
            message,
            target=name,
            fix="compare at an earlier layer, or give inputs of its domain with --probe",
        )
    return None
