"""The parts of a report's one JSON object (schema.json describes it): the same for the same inputs."""

from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

from weightbridge.errors.diagnostics import Finding, fingerprints, sorted_findings
from weightbridge.plan import Plan, Step
from weightbridge.report.coverage import coverage
from weightbridge.report.graphs import NO_GRAPH, located
from weightbridge.report.stages import located_entry, stage_entries
from weightbridge.version import __version__

if TYPE_CHECKING:
    from weightbridge.report.values import ModelSummary

SCHEMA_VERSION = 1
HEAD: dict[str, Any] = {
    "schema_version": SCHEMA_VERSION,
    "tool": {"name": "weightbridge", "version": __version__},
}


def summary_entry(model: "ModelSummary | None") -> dict[str, Any]:
    """One side of the report; empty where there is none."""
    return {} if model is None else asdict(model)


def plan_entries(plan: Plan | None, graphs: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """Coverage, steps in the target's order, unused source tensors and stages."""
    steps = () if plan is None else plan.steps
    unused = () if plan is None else plan.unused
    source, target = (located(graphs.get(side, NO_GRAPH)) for side in ("source", "target"))
    in_order = sorted(unused, key=lambda entry: (entry.source, entry.reason))
    return {
        "coverage": _coverage(plan),
        "steps": [
            {**_step(step), **located_entry(step, source, target), **_digest(step, digests)} for step in steps
        ],
        "unused": [asdict(entry) for entry in in_order],
        "stages": plain(stage_entries(steps, source, target)),
    }


def finding_entries(findings: tuple[Finding, ...]) -> list[dict[str, str]]:
    """Errors first, then by code and place."""
    in_order = sorted_findings(findings)
    return [_finding(*pair) for pair in zip(in_order, fingerprints(in_order), strict=True)]


def finding_of(entry: Mapping[str, Any]) -> Finding:
    """The finding of an entry."""
    values = {key: entry[key] for key in ("code", "message", "source", "target", "fix", "severity")}
    return Finding(**values, about=entry.get("about", ""))


def plain(value: Any) -> Any:
    """JSON-like values of any depth as JSON's own, keys sorted.

    Tuples become lists, numpy's scalars numbers, NaN and infinities None.
    """
    match value:
        case None | bool() | str():
            return value
        case int():
            return int(value)
        case float():
            return float(value) if isfinite(value) else None
        case Mapping():
            return _plain_object(value)
        case set() | frozenset():
            return [plain(item) for item in sorted(value, key=str)]
        case list() | tuple():
            return [plain(item) for item in value]
    is_scalar = hasattr(value, "item") and getattr(value, "size", 1) == 1
    return plain(value.item()) if is_scalar else str(value)


def _plain_object(value: Mapping[Any, Any]) -> dict[str, Any]:
    in_order = sorted(value.items(), key=lambda item: str(item[0]))
    return {str(key): plain(item) for key, item in in_order}


def _coverage(plan: Plan | None) -> dict[str, Any]:
    covered = coverage(plan)
    counts = asdict(covered)
    tensors = {name: counts.pop(name) for name in ("source_tensors", "source_tensors_used")}
    return {**counts, "fraction": covered.fraction, **tensors}


def _step(step: Step) -> dict[str, Any]:
    return {
        "target": step.target,
        "sources": list(step.sources),
        "kind": step.kind,
        "contract": step.contract,
        "transform": step.transform,
        "shape": list(step.shape),
        "size": step.size,
        "confidence": plain(step.confidence),
        "evidence": list(step.evidence),
        "runners_up": list(step.runners_up),
        "energy_kept": plain(step.energy_kept),
        "cost": step.cost,
    }


def _digest(step: Step, digests: Mapping[str, str]) -> dict[str, str]:
    return {"digest": digests[step.target]} if step.target in digests else {}


def _finding(finding: Finding, fingerprint: str) -> dict[str, str]:
    about = {"about": finding.about} if finding.about else {}
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "message": finding.message,
        "source": finding.source,
        "target": finding.target,
        "fix": finding.fix,
        "fingerprint": fingerprint,
        **about,
    }
