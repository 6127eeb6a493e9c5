"""The keys of a policy file, and what is wrong with a table of them."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, get_args

from weightbridge.boundary.checked import is_flag, is_fraction, is_object, is_text
from weightbridge.boundary.options import Adapt, BaselineMode, FailOn, PolicySeverity
from weightbridge.boundary.words import did_you_mean
from weightbridge.errors.diagnostics import CODES, Severity
from weightbridge.report.render.renderers import RENDERERS

Problems = Callable[[Any], list[str]]
SCHEMA = 1
SEVERITIES: tuple[PolicySeverity, ...] = (*get_args(Severity), "off")
ADAPT = tuple(way for way in get_args(Adapt) if way != "fit")
SHOWN = 60  # signs of a value


def problems(table: Mapping[str, Any]) -> list[str]:
    """All that is wrong, in words that name the key and what is expected."""
    return _wrong(table, CHECKS, "")


def _wrong(table: Mapping[str, Any], checks: Mapping[str, Problems], before: str) -> list[str]:
    unknown = [_unknown(f"{before}{key}", key, checks) for key in table if key not in checks]
    found = ((key, check(table[key])) for key, check in checks.items() if key in table)
    return unknown + [f"{before}{problem}" for _, several in found for problem in several]


def _unknown(shown: str, key: str, known: Mapping[str, Any]) -> str:
    said = did_you_mean(key, known)
    return f"unknown key {shown[:SHOWN]!r} (known: {', '.join(known)}){said}"


def _is(name: str, fits: Callable[[Any], bool], expected: str) -> Problems:
    return lambda value: [] if fits(value) else [f"{name}: {_shown(value)} {expected}"]


def _among(name: str, values: tuple[str, ...]) -> Problems:
    return _is(name, lambda value: is_text(value) and value in values, f"is none of {', '.join(values)}")


def _fraction(name: str) -> Problems:
    return _is(name, is_fraction, "is no number from 0 to 1")


def _text(name: str, expected: str) -> Problems:
    return _is(name, lambda value: is_text(value) and bool(value) and "\0" not in value, f"is no {expected}")


def _globs(name: str) -> Problems:
    return _is(name, _is_globs, "is no list of globs over names of tensors")


def _is_globs(value: Any) -> bool:
    return isinstance(value, list) and all(is_text(one) and one for one in value)


def _severity(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return ['severity is a table of codes, such as [severity] WB203 = "error"']
    unknown = [_unknown_code(code) for code in value if code not in CODES]
    wrong = {code: severity for code, severity in value.items() if severity not in SEVERITIES}
    return unknown + [
        f"severity.{code}: {_shown(severity)} is none of {', '.join(SEVERITIES)}"
        for code, severity in wrong.items()
    ]


def _unknown_code(code: str) -> str:
    return f"severity: unknown code {code[:SHOWN]!r}{did_you_mean(code, CODES)}"


def _report(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return ['report is a table, such as [report] html = "report.html"']
    return _wrong(value, REPORT, "report.")


def _is_inside(value: Any) -> bool:
    """A relative path that leads nowhere else: a policy writes into its own folder alone."""
    if not is_text(value) or not value or "\0" in value:
        return False
    posix, windows = PurePosixPath(value), PureWindowsPath(value)
    is_absolute = posix.is_absolute() or bool(windows.drive or windows.root)
    return not is_absolute and ".." not in (*posix.parts, *windows.parts)


def _pairs(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(map(is_object, value)):
        return ["pair is a list of tables: write [[pair]]"]
    found = [problem for n, entry in enumerate(value) for problem in _pair(n, entry)]
    names = Counter(name for entry in value if is_text(name := entry.get("name")))
    return found + [f"pair: the name {name!r} stands twice" for name, count in names.items() if count > 1]


def _pair(number: int, entry: Mapping[str, Any]) -> list[str]:
    before = f"pair[{number}]."
    missing = [f"{before}{side} is missing" for side in ("source", "target") if side not in entry]
    return missing + _wrong(entry, PAIR, before)


def _is_map(value: Any) -> bool:
    return is_object(value) and all(key and is_text(one) and one for key, one in value.items())


def _shown(value: Any) -> str:
    return repr(value)[:SHOWN]


OWN = 'path inside the folder of the policy, such as "report.html"'
REPORT: dict[str, Problems] = {
    "max_examples": _is(
        "max_examples", lambda value: type(value) is int and 0 <= value <= 1000, "is no whole number to 1000"
    ),
    **{format: _is(format, _is_inside, f"is no {OWN}") for format in RENDERERS},
}
GATES: dict[str, Problems] = {
    "adapt": _among("adapt", ADAPT),
    **{key: _fraction(key) for key in ("min_exact", "min_coverage")},
}
PAIR: dict[str, Problems] = {
    "name": _text("name", "name"),
    "source": _text("source", "path, nor py:module:callable"),
    "target": _text("target", "path, nor py:module:callable"),
    "plan": _text("plan", "path"),
    "map": _is("map", _is_map, "is no table of source = target"),
    **{key: _globs(key) for key in ("fresh", "unused")},
    **GATES,
    **{
        key: _is(key, is_object, "is no table of arguments by name")
        for key in ("source_arguments", "target_arguments")
    },
    "map_words": _is("map_words", is_flag, "is neither true nor false"),
}
CHECKS: dict[str, Problems] = {
    "schema": _is("schema", lambda value: type(value) is int and value == SCHEMA, f"is not {SCHEMA}"),
    "fail_on": _among("fail_on", get_args(FailOn)),
    **GATES,
    "baseline": _text("baseline", "path"),
    "baseline_mode": _among("baseline_mode", get_args(BaselineMode)),
    "severity": _severity,
    "report": _report,
    "pair": _pairs,
}
