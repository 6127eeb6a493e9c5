"""The digest: a report's JSON object in short, computed once for all renderers."""

from collections import Counter

from weightbridge.errors.diagnostics import SEVERITIES
from weightbridge.report.digest.depth import depth
from weightbridge.report.digest.groups import groups
from weightbridge.report.digest.ledger import ledger, used
from weightbridge.report.digest.next import options_given, ways
from weightbridge.report.digest.proof import proven, wrote
from weightbridge.report.digest.stages import layer_rows, stages
from weightbridge.report.digest.values import Digest, Json, ModelRow
from weightbridge.report.digest.why import why
from weightbridge.report.values import EXIT_CODES

__all__ = ["Digest", "digest"]


def digest(report: Json) -> Digest:
    """Of the JSON object of a report."""
    rows = ledger(report)
    severities = Counter(found["severity"] for found in report["findings"])
    sides = [(side, report[side]) for side in ("source", "target") if report[side]]
    return Digest(
        command=report["command"],
        verdict=report["verdict"],
        exit_code=report.get("exit_code", EXIT_CODES[report["verdict"]]),
        counts={severity: severities[severity] for severity in reversed(SEVERITIES)},
        why=why(report, rows),
        models=tuple(_model(side, model) for side, model in sides),
        asked=options_given(report),
        ledger=rows,
        used=used(report),
        proven=proven(report),
        wrote=wrote(report),
        baseline=_baseline(report),
        stages=stages(report),
        layers=layer_rows(report) if rows else (),
        depth=depth(report),
        groups=groups(report),
        ways=ways(report),
        tensors=len(report["steps"]),
    )


def _baseline(report: Json) -> str:
    """`2 new, 31 accepted, 4 stale`."""
    counts = report.get("baseline") or {}
    return ", ".join(f"{counts[key]:,} {key}" for key in ("new", "accepted", "stale") if key in counts)


def _model(side: str, model: Json) -> ModelRow:
    kind = f"{model['format']}, {model['producer']}" if model["producer"] else model["format"]
    counts = {name: model[name] for name in ("layers", "tensors", "parameters")}
    return ModelRow(side, model["path"], kind, **counts)
