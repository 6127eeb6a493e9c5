"""A saved report (JSON) -> Report: checked by hand, with every problem named at once."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from weightbridge.boundary.checked import listed, strict_json
from weightbridge.errors import UsageError
from weightbridge.plan import Plan, Step, Unused
from weightbridge.report.document import finding_of
from weightbridge.report.pairs import PairsReport
from weightbridge.report.validation import problems
from weightbridge.report.values import EXIT_CODES, ModelSummary, Report
from weightbridge.report.verification import Verification

FIX = "Give a file that --report json=PATH wrote"


def load_report(path: Path) -> Report | PairsReport:
    """Of one pair of models, or of all of a policy.

    Raises UsageError where the file is missing, is no JSON or is no report of this version."""
    where = str(path)
    try:
        data = strict_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"the report cannot be read: {error.strerror}"
        raise UsageError(message, where=where, fix="Check the path and its permissions") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"this is no JSON report: {error}", where=where, fix=FIX) from error
    is_several = isinstance(data, dict) and isinstance(data.get("pairs"), list)
    several = data["pairs"] if is_several else [data]
    wrong = [problem for one in several for problem in problems(one)]
    if wrong:
        raise UsageError(listed(wrong), where=where, fix=f"{FIX}, unchanged")
    if not is_several:
        return report_from_json(data)
    config = data.get("config")
    return PairsReport(tuple(map(report_from_json, several)), config if isinstance(config, str) else "")


def report_from_json(data: Mapping[str, Any]) -> Report:
    """The Report of a valid object; its `to_json` gives the object again."""
    steps = tuple(map(_step, data["steps"]))
    unused = tuple(Unused(entry["source"], entry["reason"]) for entry in data["unused"])
    return Report(
        command=data["command"],
        verdict=data["verdict"],
        source=_summary(data["source"]),
        target=_summary(data["target"]),
        plan=Plan(steps, unused),
        findings=tuple(map(finding_of, data["findings"])),
        verification=_verification(data["verification"]),
        graph=data.get("graph"),
        exit_code=data.get("exit_code", EXIT_CODES[data["verdict"]]),
        asked=data.get("asked", {}),
        graphs=data.get("graphs", {}),
        wrote=data.get("wrote"),
        pair=data.get("pair", ""),
        refused=data.get("refused", ""),
        baseline=data.get("baseline"),
        accepted=tuple(data.get("accepted", ())),
        digests={step["target"]: step["digest"] for step in data["steps"] if "digest" in step},
    )


def _summary(model: Mapping[str, Any]) -> ModelSummary | None:
    return ModelSummary(**{f.name: model[f.name] for f in fields(ModelSummary)}) if model else None


def _step(step: Mapping[str, Any]) -> Step:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in step.items()
    }
    return Step(**{f.name: values[f.name] for f in fields(Step) if f.name != "parameters"})


def _verification(entry: Mapping[str, Any]) -> Verification:
    return Verification(entry["mode"], tuple(entry["outputs"]), tuple(entry["layers"]), entry["evidence"])
