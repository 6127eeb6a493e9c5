"""A saved report (JSON) -> Report: checked by hand, with every problem named at once."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from weightbridge.diagnostics import Finding
from weightbridge.errors import UsageError
from weightbridge.plan import Plan, Step, Unused
from weightbridge.report.validation import problems
from weightbridge.report.values import EXIT_CODES, ModelSummary, Report
from weightbridge.verification import Verification

SHOWN = 5


def load_report(path: Path) -> Report:
    """Raises UsageError where the file is missing, is no JSON or is no report of this version."""
    where = str(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except OSError as error:
        raise UsageError(
            f"the report cannot be read: {error.strerror}",
            where=where,
            fix="Check the path and its permissions",
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"this is no JSON report: {error}", where=where, fix="Give a file that --report json=PATH wrote"
        ) from error
    wrong = problems(data)
    if wrong:
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise UsageError(
            "; ".join(wrong[:SHOWN]) + more,
            where=where,
            fix="Give a file that --report json=PATH wrote, unchanged",
        )
    return report_from_json(data)


def report_from_json(data: Mapping[str, Any]) -> Report:
    """The Report of a valid object; `to_json` gives the object again."""
    verification = data["verification"]
    return Report(
        command=data["command"],
        verdict=data["verdict"],
        source=_summary(data["source"]),
        target=_summary(data["target"]),
        plan=Plan(
            tuple(map(_step, data["steps"])), tuple(Unused(u["source"], u["reason"]) for u in data["unused"])
        ),
        findings=tuple(
            Finding(*(f[key] for key in ("code", "message", "source", "target", "fix", "severity")))
            for f in data["findings"]
        ),
        verification=Verification(
            verification["mode"],
            tuple(verification["outputs"]),
            tuple(verification["layers"]),
            verification["evidence"],
        ),
        graph=data.get("graph"),
        exit_code=EXIT_CODES[data["verdict"]],
    )


def _summary(model: Mapping[str, Any]) -> ModelSummary | None:
    return ModelSummary(**{f.name: model[f.name] for f in fields(ModelSummary)}) if model else None


def _step(step: Mapping[str, Any]) -> Step:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in step.items()
    }
    return Step(**{f.name: values[f.name] for f in fields(Step) if f.name != "parameters"})


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")
