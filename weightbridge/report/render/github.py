"""The report as GitHub's workflow commands: an annotation for each code, ten at most, errors first."""

from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from weightbridge.report.digest import Digest, digest
from weightbridge.report.digest.values import Group
from weightbridge.report.escape import visible

MOST = 10  # GitHub shows ten errors and ten warnings of a step, and drops the rest in silence
LEVELS = {"error": "error", "warning": "warning", "note": "notice"}
LONGEST = 1000


def render(report: Mapping[str, Any]) -> str:
    """The last line says how many codes more there are; a report without findings says its verdict."""
    made = digest(report)
    path = relative(report, "target") or relative(report, "source")
    lines = [_annotation(group, path) for group in made.groups]
    if not lines:
        lines = [f"::notice title={_property(_title(made))}::{_data(made.why)}"]
    if len(lines) > MOST:
        lines = [*lines[: MOST - 1], _rest(made)]
    return "".join(f"{line}\n" for line in lines)


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


def _annotation(group: Group, path: str) -> str:
    place = f"file={_property(path)}," if path else ""
    title = _property(f"{group.code} {group.name}")
    return f"::{LEVELS[group.severity]} {place}title={title}::{_data(_message(group))}"


def _message(group: Group) -> str:
    """The fact, the first places, and what to do."""
    places = "; ".join(": ".join((entry.head, *entry.details[:1])) for entry in group.entries[:3])
    fix = f"-> {group.fix}" if group.fix else ""
    return " ".join(part for part in (group.text, places and f"({places})", fix) if part)


def _rest(made: Digest) -> str:
    left = made.groups[MOST - 1 :]
    codes = ", ".join(group.code for group in left[:20])
    level = LEVELS[left[0].severity]
    return f"::{level} title=weightbridge::{_data(f'{len(left):,} codes more: see the summary ({codes})')}"


def _title(made: Digest) -> str:
    return f"{made.verdict.upper()} {made.command}"


def _data(text: str) -> str:
    shown = visible(text, LONGEST)
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
