"""The report as text, to the width of the terminal.

The verdict comes first, then coverage, findings, verification and the tables.
"""

from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from weightbridge.report.escape import visible
from weightbridge.report.render import sections
from weightbridge.report.render.columns import lines, widths
from weightbridge.report.render.summary import coverage_lines, headline, model_line
from weightbridge.report.render.verification import verification_lines, verification_tables

WIDTH = 120
ROWS = 2000
STYLES = {"pass": "bold green", "warn": "bold yellow", "warning": "yellow", "note": "cyan"}


def render(report: Mapping[str, Any], *, details: bool = False) -> str:
    """Plain text of a fixed width."""
    return render_on(report, WIDTH, color=False, details=details)


def render_on(report: Mapping[str, Any], width: int, color: bool, *, details: bool = False) -> str:
    """For a terminal of this width. details: every row, and every optimizer slot by its name."""
    return _printed(_parts(report, width, details), width, color)


def render_tables(tables: Iterable[sections.Table]) -> str:
    """Tables alone, of a fixed width."""
    return _printed((part for table in tables for part in _table(table, WIDTH)), WIDTH, color=False)


def _printed(parts: Iterable[RenderableType], width: int, color: bool) -> str:
    out = StringIO()
    console = Console(
        file=out, width=width, color_system="standard" if color else None, force_terminal=color,
        markup=False, highlight=False, emoji=False, legacy_windows=False, _environ={},
    )  # fmt: skip
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).lstrip("\n") + "\n"


def _parts(report: Mapping[str, Any], width: int, details: bool) -> Iterator[RenderableType]:
    yield Text(visible(headline(report)), style=STYLES.get(report["verdict"], "bold red"))
    yield from (_line(f"  {model_line(side, report[side])}") for side in ("source", "target") if report[side])
    yield from (_line(line) for line in coverage_lines(report))
    yield from _findings(report)
    yield from _verification(report, width)
    graph = report.get("graph")
    tables = () if graph is None else (sections.layers(graph), sections.excluded(graph))
    for table in (*tables, sections.steps(report), sections.unused(report, details=details)):
        yield from _table(table, width, len(table.rows) if details else ROWS)


def _findings(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    for found, count in sections.findings(report):
        times = f" ({count} alike)" if count > 1 else ""
        place = " <- ".join(name for name in (found["target"], found["source"]) if name)
        head = visible(
            f"{found['severity']} {found['code']} {found['name']}{times}{': ' + place if place else ''}"
        )
        fix = [Text(visible(f"-> {found['fix']}"), style="italic")] if found["fix"] else []
        yield Text()
        yield Text(head, style=STYLES.get(found["severity"], "red"), overflow="fold")
        yield Padding(Group(_line(found["message"]), *fix), (0, 0, 0, 4))


def _verification(report: Mapping[str, Any], width: int) -> Iterator[RenderableType]:
    lines = verification_lines(report["verification"])
    if lines:
        yield Text()
        yield from map(_line, lines)
    for table in verification_tables(report["verification"]):
        yield from _table(table, width)


def _table(table: sections.Table, width: int, most: int = ROWS) -> Iterator[RenderableType]:
    if not table.rows:
        return
    table = sections.shown(table)
    head, *body = lines(table, widths(table, width), most)
    yield Text()
    yield Text(f"{table.title} ({table.count:,})", style="bold")
    yield Text("\n").join((Text(head, style="bold"), *map(Text, body)))
    if len(table.rows) > most:
        yield Text(f"... {len(table.rows) - most:,} rows more: --report json=PATH has them all")


def _line(text: str) -> Text:
    return Text(visible(text), overflow="fold")
