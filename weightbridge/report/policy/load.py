"""A policy file -> Policy: TOML from outside, with all that is wrong in it named at once."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weightbridge.boundary.checked import listed
from weightbridge.errors import UsageError
from weightbridge.report.policy.find import LARGEST, PROJECT
from weightbridge.report.policy.keys import problems
from weightbridge.report.policy.values import Pair, Policy

PLAIN = ("fail_on", "min_exact", "adapt", "baseline_mode")


def load_policy(path: Path) -> Policy:
    """Raises UsageError with all that is wrong in the file. Paths in it are seen from its own folder."""
    table = _table(path)
    wrong = problems(table)
    if wrong:
        fix = (
            "`weightbridge rules list` names the codes"
            if any("unknown code" in text for text in wrong)
            else ""
        )
        raise UsageError(listed(wrong), where=str(path), fix=fix)
    reports = {format: _beside(path, at) for format, at in table.get("report", {}).items() if is_path(format)}
    baseline = table.get("baseline")
    return Policy(
        severity=table.get("severity", {}),
        **_said(table),
        baseline=None if baseline is None else _beside(path, baseline),
        max_examples=table.get("report", {}).get("max_examples"),
        reports=reports,
        pairs=tuple(_pair(path, entry) for entry in table.get("pair", ())),
        path=path,
    )


def is_path(key: str) -> bool:
    """Whether this key of [report] is a format, and its value where that goes."""
    return key != "max_examples"


def _table(path: Path) -> Mapping[str, Any]:
    data = _parsed(path)
    if path.name != PROJECT:
        return data
    tool = data.get("tool")
    table = tool.get("weightbridge") if isinstance(tool, dict) else None
    if not isinstance(table, dict):
        fix = "Add it, or give a weightbridge.toml"
        raise UsageError("there is no table [tool.weightbridge]", where=str(path), fix=fix)
    return table


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError("too large for a policy: more than 1 MB", where=str(path))
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(
            f"the policy cannot be read: {error.strerror}",
            where=str(path),
            fix="Check the path and its permissions",
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the policy is no TOML: {error}", where=str(path)) from error


def _said(table: Mapping[str, Any]) -> dict[str, Any]:
    """`min_coverage` of a file without `schema` is what `--min-coverage` is: the exact part alone."""
    is_first = "schema" not in table and "min_exact" not in table
    gate = "min_coverage" if is_first else "min_filled"
    return {gate: table.get("min_coverage"), **{key: table.get(key) for key in PLAIN}}


def _pair(path: Path, entry: Mapping[str, Any]) -> Pair:
    source, target = (_model(path, entry[side]) for side in ("source", "target"))
    said = ((_OPTIONS.get(key, key), key, value) for key, value in entry.items() if key not in _NAMES)
    options = {name: _option(path, key, value) for name, key, value in said}
    return Pair(entry.get("name") or f"{entry['source']}:{entry['target']}", source, target, options)


def _option(path: Path, key: str, value: Any) -> Any:
    """As Options has it."""
    match key:
        case "plan":
            return _beside(path, value)
        case "map":
            return tuple(value.items())
        case "fresh" | "unused":
            return tuple(value)
    return value


def _model(policy: Path, text: str) -> str:
    return text if text.startswith("py:") else str(_beside(policy, text))


def _beside(policy: Path, text: str) -> Path:
    """A path in the policy, as it is seen from the working directory."""
    return Path(os.path.normpath(policy.parent / text))


_NAMES = frozenset({"name", "source", "target"})
_OPTIONS = {"min_coverage": "min_filled"}
