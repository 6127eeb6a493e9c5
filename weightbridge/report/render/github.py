"""The report as GitHub's workflow commands: an annotation for each code, ten at most, errors first."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from weightbridge.errors.diagnostics import SEVERITIES, Severity
from weightbridge.report.digest import digest
from weightbridge.report.digest.values import Group
from weightbridge.report.escape import visible

Json = Mapping[str, Any]
MOST = 10  # GitHub shows ten errors and ten warnings of a step, and drops the rest in silence
LEVELS = {"error": "error", "warning": "warning", "note": "notice"}
LONGEST = 1000


def render(report: Mapping[str, Any]) -> str:
    """The last line says how many codes more there are; a report without findings says its verdict."""
    return document([("", report)])


def document(reports: Iterable[tuple[str, Json]]) -> str:
    """The annotations of reports, each under its pair's name, worst first."""
    found = [(name, group, report) for name, report in reports for group in _groups(report)]
    found.sort(key=lambda one: -SEVERITIES.index(one[1].severity))
    lines = [_annotation(name, group, report) for name, group, report in found]
    if len(lines) > MOST:
        lines = [*lines[: MOST - 1], _rest([group for _, group, _ in found[MOST - 1 :]])]
    return "".join(f"{line}\n" for line in lines)


def _groups(report: Json) -> Sequence[Group]:
    """By code; the verdict, where nothing was found."""
    made = digest(report)
    severity: Severity = "error" if made.exit_code else "note"
    return made.groups or (Group(made.verdict.upper(), made.command, severity, made.why, ()),)


def relative(report: Mapping[str, Any], side: str) -> str:
    """A model's path with `/`, where it lies under the working directory; else nothing."""
    path = str(report[side].get("path", "")) if report[side] else ""
    is_file = bool(path) and report[side]["format"] != "python"
    return relative_path(path) if is_file else ""


def relative_path(path: str) -> str:
    """The path with `/`, or nothing where it is absolute, leads upwards or is none."""
    posix = PureWindowsPath(path).as_posix() if "\\" in path else path
    parts = PurePosixPath(posix).parts
    is_absolute = PurePosixPath(posix).is_absolute() or bool(PureWindowsPath(path).drive)
    if not parts or is_absolute or ".." in parts or visible(path) != path:
        return ""
    return "/".join(parts)


def _annotation(name: str, group: Group, report: Json) -> str:
    path = "" if not group.findings else relative(report, "target") or relative(report, "source")
    place = f"file={_property(path)}," if path else ""
    title = _property(" ".join(part for part in (f"{name}:" * bool(name), group.code, group.name) if part))
    return f"::{LEVELS[group.severity]} {place}title={title}::{_data(_message(group))}"


def _message(group: Group) -> str:
    """The fact, the first places, and what to do."""
    places = "; ".join(": ".join((entry.head, *entry.details[:1])) for entry in group.entries[:3])
    fix = f"-> {group.fix}" if group.fix else ""
    return " ".join(part for part in (group.text, places and f"({places})", fix) if part)


def _rest(left: Sequence[Group]) -> str:
    codes = ", ".join(list(dict.fromkeys(group.code for group in left))[:20])
    level = LEVELS[left[0].severity]
    return f"::{level} title=weightbridge::{_data(f'{len(left):,} codes more: see the summary ({codes})')}"


def _data(text: str) -> str:
    shown = visible(text, LONGEST)
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
