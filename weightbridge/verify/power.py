"""Power: agreement that proves nothing, because the output is zero, constant, or drowned in its own noise."""

from collections.abc import Sequence

import numpy as np

from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.model.tensors import Array
from weightbridge.verify.compare import limit_of
from weightbridge.verify.floor import Expected, Sources, expect
from weightbridge.verify.probes import louder
from weightbridge.verify.session import Session
from weightbridge.verify.values import Comparison

GIVE_INPUTS = "give inputs of its domain as probes"
EXPONENTS = (6, 9, 12)


def powerless(
    comparisons: Sequence[Comparison], expected: Sequence[Expected]
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Warnings and reasons, one for each output of which no comparison proves anything."""
    of_output: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        of_output.setdefault(comparison.name, []).append(comparison)
    said = (_said(name, own, expected) for name, own in of_output.items())
    findings = tuple(f for f in said if f is not None)
    return findings, tuple(f.message for f in findings)


def _said(name: str, comparisons: Sequence[Comparison], expected: Sequence[Expected]) -> Finding | None:
    statuses = {c.status for c in comparisons}
    if any(c.is_different for c in comparisons):
        return None
    if statuses <= {"zero-energy"}:
        return _always_zero(name)
    if is_constant(name, expected):
        return _always_the_same(name)
    return None if "equal" in statuses else _too_noisy(name, comparisons)


def _always_zero(name: str) -> Finding:
    message = f"output {name!r} of the source is all zero on every probe: agreement proves nothing"
    return finding("WB503", message, target=name, fix=GIVE_INPUTS)


def _always_the_same(name: str) -> Finding:
    message = f"output {name!r} of the source is the same for every input"
    consequence = "agreement proves nothing about the layers before it"
    fix = f"look for dead layers or saturation; {GIVE_INPUTS}"
    return finding("WB503", f"{message}: {consequence}", target=name, fix=fix)


def _too_noisy(name: str, comparisons: Sequence[Comparison]) -> Finding:
    floor = min(c.floor for c in comparisons if c.status == "ill-conditioned")
    least = min(c.limit for c in comparisons) * floor
    noise = f"so much noise (relative {floor:.2g}) that only changes above {least:.1%} show"
    fix = f"compare at an earlier layer, or {GIVE_INPUTS}"
    return finding("WB406", f"output {name!r} carries {noise}", target=name, fix=fix)


def excited(
    sources: Sources, expected: Sequence[Expected], session: Session, seed: int
) -> tuple[Expected, ...]:
    """The probe louder and louder, until every output tells its items apart.

    Behind x / 255, layers that squeeze and random biases, nothing is left of inputs about 1.
    """
    more: list[Expected] = []
    names = session.whole
    probe = session.probes[0]
    loud = EXPONENTS if any(feed.dtype.kind == "f" for feed in probe.feeds.values()) else ()
    for exponent in loud:
        finite = {name for one in expected for name in one.finite}
        if not any(is_constant(name, (*expected, *more)) for name in names if name in finite):
            break
        more += expect(sources, (louder(probe, exponent),), seed)
    return tuple(more)


def is_constant(name: str, expected: Sequence[Expected]) -> bool:
    """Whether all items of all probes give the same output but for noise; False for a single item.

    A model that begins with x / 255 tells values about 1 apart no more than its noise: larger ones count too.
    Zeros do not: they show what biases give, of every model.
    """
    finite = [one for one in expected if name in one.finite and _is_fed(one)]
    core = [one for one in finite if one.probe.core]
    return _is_same(name, core) and _is_same(name, finite)


def _is_fed(expected: Expected) -> bool:
    feeds = expected.probe.feeds.values()
    return any(feed.dtype.kind not in "biufc" or bool(np.any(feed)) for feed in feeds)


def _is_same(name: str, expected: Sequence[Expected]) -> bool:
    items = _of_one_shape([item for one in expected for item in one.values[name]])
    if len(items) < 2:
        return False
    stacked = np.stack(items)
    energy = float(np.linalg.norm(stacked.ravel()))
    noise = max(one.floors[name] for one in expected)
    variation = float(np.linalg.norm((stacked - stacked.mean(axis=0)).ravel()))
    return variation <= limit_of(stacked.size) * noise * energy


def _of_one_shape(items: Sequence[Array]) -> list[Array]:
    return [item for item in items if item.shape == items[0].shape]
