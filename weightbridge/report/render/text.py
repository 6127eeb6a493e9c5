"""The report as text: at most 45 lines, to the width of the terminal; `--details` has the rest."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Severity
from weightbridge.report.digest import Digest, digest
from weightbridge.report.escape import visible
from weightbridge.report.render.findings import findings
from weightbridge.report.render.layout import BLANK, Line, cells, command, line, wrapped
from weightbridge.report.render.opening import ledger, models
from weightbridge.report.render.tables import depth, layers, stages

WIDTH, NARROWEST = 100, 80
LINES = 45
WITH_TENSORS = 40  # more of them than this, and the last line says how to see them all
STYLES = {"pass": "bold green", "warn": "bold yellow"}
COUNTED: tuple[tuple[Severity, str], ...] = (("error", "errors"), ("warning", "warnings"), ("note", "notes"))


@dataclass(frozen=True, slots=True)
class Room:
    """How much of each part is shown: entries of a group, rows of layers, lines of a message."""

    entries: int
    layers: int
    message: int
    is_brief: bool = False


ROOMS = (Room(8, 12, 4), Room(3, 12, 3), Room(3, 0, 2), Room(1, 0, 2), Room(0, 0, 1), Room(0, 0, 1, True))


def render(report: Mapping[str, Any], details: str = "") -> str:
    """Plain text of a fixed width. details: a code, or `all`, whose details follow."""
    return render_on(report, WIDTH, color=False, details=details)


def render_on(report: Mapping[str, Any], width: int, color: bool, details: str = "") -> str:
    """For a terminal of this width."""
    width = max(width, NARROWEST)
    shown = list(_of_pairs(report, width, details) if "pairs" in report else _whole(report, width, details))
    if not color:
        return "".join(f"{_plain(one)}\n" for one in shown)
    from weightbridge.report.render.colors import colored  # and rich with it

    return colored(shown)


def _of_pairs(report: Mapping[str, Any], width: int, details: str) -> Iterator[Line]:
    from weightbridge.report.render.pair_lines import text_lines  # few commands have several

    return text_lines(report, width, lambda pair, room: list(_whole(pair, room, details)))


def _whole(report: Mapping[str, Any], width: int, details: str) -> Iterator[Line]:
    yield from report_lines(report, width)
    if "advice" in report["verification"]["evidence"]:
        from weightbridge.report.render.advice import table  # one command has it

        yield from table(report)
    yield from _behind(report, width, details)


def report_lines(report: Mapping[str, Any], width: int) -> list[Line]:
    """The first of the rooms in which everything fits."""
    made = digest(report)
    most = report["asked"].get("options", {}).get("max_examples")
    shown: list[Line] = []
    for room in ROOMS:
        if most is not None:
            room = replace(room, entries=min(room.entries, most))  # noqa: PLW2901
        shown = list(_lines(made, width, room))
        if len(shown) <= LINES:
            break
    return shown


def _behind(report: Mapping[str, Any], width: int, asked: str) -> Iterator[Line]:
    """The tables of an inspected model, which is what was asked for, and the details."""
    if "graph" not in report and not asked:
        return
    from weightbridge.report.render import details  # and rich, which lays out its columns

    yield from details.table_lines(details.graph_tables(report), width)
    if asked:
        yield from details.details(report, width, asked)


def _lines(made: Digest, width: int, room: Room) -> Iterator[Line]:
    yield _headline(made, width)
    yield from wrapped(made.why, width, 0, 2)
    yield from models(made, width)
    yield from ledger(made, width, room.message)
    tables = (*stages(made, width), *depth(made, width), *layers(made, width, room.layers))
    yield from () if room.is_brief else tables
    yield from findings(made, width, room.entries, room.message, has_table=bool(tables))
    yield from () if room.is_brief else _ways(made, width)
    yield BLANK
    yield line(_last(made, has_layers=_shows_layers(made, room)), "dim")


def _headline(made: Digest, width: int) -> Line:
    """The verdict to the left, the counts to the right."""
    verdict = visible(f"{made.verdict.upper()} {made.command}")
    parts = [_number(made.counts[key], words) for key, words in COUNTED if made.counts[key]]
    counts = ", ".join(parts) or "no findings"
    blanks = " " * max(width - cells(verdict) - cells(counts), 1)
    return ((verdict, STYLES.get(made.verdict, "bold red")), (f"{blanks}{counts}", ""))


def _number(number: int, many: str) -> str:
    return f"{number:,} {many if number != 1 else many.removesuffix('s')}"


def _ways(made: Digest, width: int) -> Iterator[Line]:
    if not made.ways:
        return
    yield BLANK
    yield line("Next", "bold")
    for way in made.ways:
        yield line(f"  {way.purpose}:")
        yield from command(way.arguments, width, 4)


def _shows_layers(made: Digest, room: Room) -> bool:
    return bool(layers(made, WIDTH, room.layers))


def _last(made: Digest, *, has_layers: bool) -> str:
    parts = []
    if made.tensors > WITH_TENSORS and not has_layers:
        parts.append(f"{made.tensors:,} tensors: --details")
    code = next((group.code for group in made.groups if group.severity != "note"), None)
    if code:
        parts.append(f"a code: weightbridge rules show {code}")
    return "  ·  ".join((*parts, f"exit {made.exit_code}"))


def _plain(one: Line) -> str:
    return "".join(text for text, _ in one).rstrip()
