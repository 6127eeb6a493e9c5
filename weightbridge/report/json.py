"""The report's one JSON object (schema.json describes it), and its text: the same bytes for the same inputs."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

from weightbridge.diagnostics import Finding, sorted_findings
from weightbridge.plan import Plan, Step
from weightbridge.report.coverage import coverage
from weightbridge.version import __version__

if TYPE_CHECKING:
    from weightbridge.report.values import ModelSummary, Report

SCHEMA_VERSION = 1


def to_json(report: "Report") -> dict[str, Any]:
    """The object that every format renders: no times, steps in the target's order, all else sorted, NaN and
    Inf as null.
    """
    steps = () if report.plan is None else report.plan.steps
    found: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "weightbridge", "version": __version__},
        "command": report.command,
        "verdict": report.verdict,
        "source": _summary(report.source),
        "target": _summary(report.target),
        "coverage": _coverage(report.plan),
        "steps": [_step(step) for step in steps],
        "unused": _unused(report.plan),
        "findings": [_finding(found) for found in sorted_findings(report.findings)],
        "verification": plain(asdict(report.verification)),
    }
    return found if report.graph is None else {**found, "graph": plain(report.graph)}


def render(report: Mapping[str, Any]) -> str:
    """ASCII only, so that no name can steer a terminal; sorted by to_json already."""
    text = json.dumps(report, indent=1, ensure_ascii=True, allow_nan=False)
    return text.replace("\x7f", "\\u007f") + "\n"


def plain(value: Any) -> Any:
    """JSON-like values of any depth as JSON's own: tuples as lists, numpy's scalars as numbers, NaN and Inf
    as None, keys sorted.
    """
    match value:
        case None | bool() | str():
            return value
        case int():
            return int(value)
        case float():
            return float(value) if isfinite(value) else None
        case Mapping():
            return {str(k): plain(v) for k, v in sorted(value.items(), key=lambda item: str(item[0]))}
        case set() | frozenset():
            return [plain(v) for v in sorted(value, key=str)]
        case list() | tuple():
            return [plain(v) for v in value]
    return plain(value.item()) if hasattr(value, "item") and getattr(value, "size", 1) == 1 else str(value)


def _summary(model: "ModelSummary | None") -> dict[str, Any]:
    return {} if model is None else asdict(model)


def _coverage(plan: Plan | None) -> dict[str, Any]:
    found = coverage(plan)
    counts = asdict(found)
    tensors = {name: counts.pop(name) for name in ("source_tensors", "source_tensors_used")}
    return {**counts, "fraction": found.fraction, **tensors}


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


def _unused(plan: Plan | None) -> list[dict[str, str]]:
    unused = () if plan is None else plan.unused
    return [asdict(one) for one in sorted(unused, key=lambda u: (u.source, u.reason))]


def _finding(found: Finding) -> dict[str, str]:
    return {
        "code": found.code,
        "name": found.name,
        "severity": found.severity,
        "message": found.message,
        "source": found.source,
        "target": found.target,
        "fix": found.fix,
        "fingerprint": found.fingerprint,
    }
