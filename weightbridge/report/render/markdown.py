"""The report as GitHub's Markdown, under 60 KB.

It lands in pull requests and job summaries, which cut off what is longer.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from weightbridge.report.escape import markdown, markdown_code
from weightbridge.report.render import sections
from weightbridge.report.render.sections import NONE, SAME
from weightbridge.report.render.summary import coverage_lines, headline, model_line
from weightbridge.report.render.verification import verification_lines, verification_tables

LIMIT = 60_000
FINDINGS = 30_000  # of them; the tables share the rest


def render(report: Mapping[str, Any]) -> str:
    """Folded as the text is; what does not fit is counted."""
    head = "\n".join(_head(report))
    found = _fitting(list(_findings(report)), FINDINGS - len(head.encode()), "findings")
    text = f"{head}\n{found}"
    for table in _tables(report):
        text += _table(table, LIMIT - 500 - len(text.encode()))
    return text


def _head(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"## weightbridge: {markdown(headline(report))}\n"
    yield from (
        f"- {markdown(model_line(side, report[side]))}" for side in ("source", "target") if report[side]
    )
    lines = (*coverage_lines(report), *verification_lines(report["verification"]))
    yield from (f"{'  ' if line.startswith(' ') else ''}- {markdown(line.strip())}" for line in lines)


def _findings(report: Mapping[str, Any]) -> Iterator[str]:
    for found, count in sections.findings(report):
        title = f"**{found['severity']} {found['code']} {found['name']}**"
        if count > 1:
            title += f" ({count} alike)"
        names = [markdown_code(name) for name in (found["target"], found["source"]) if name]
        place = " ← ".join(names)
        if place:
            title += f" {place}"
        fix = f" *{markdown(found['fix'])}*" if found["fix"] else ""
        yield f"- {title}: {markdown(found['message'])}{fix}"


def _tables(report: Mapping[str, Any]) -> tuple[sections.Table, ...]:
    graph = report.get("graph")
    listed = () if graph is None else (sections.layers(graph), sections.excluded(graph))
    return (
        *verification_tables(report["verification"]),
        *listed,
        sections.steps(report),
        sections.unused(report),
    )


def _table(table: sections.Table, room: int) -> str:
    """Collapsed, with the rows that fit; nothing for an empty table."""
    if not table.rows:
        return ""
    table = sections.shown(table)
    head = f"\n<details><summary>{table.title} ({table.count:,})</summary>\n\n"
    titles = "".join(f"| {column.title} " for column in table.columns) + "|\n"
    ruler = "".join("|---:" if column.kind == "number" else "|---" for column in table.columns) + "|\n"
    end = "\n</details>\n"
    rows = [_row(table.columns, row) for row in table.rows]
    return (
        head
        + titles
        + ruler
        + _fitting(rows, room - len((head + titles + ruler + end).encode()), "rows")
        + end
    )


def _row(columns: tuple[sections.Column, ...], row: tuple[str, ...]) -> str:
    pairs = zip(columns, row, strict=True)
    cells = (
        markdown_code(cell) if column.kind == "name" and cell not in (SAME, NONE) else markdown(cell)
        for column, cell in pairs
    )
    return "".join(f"| {cell} " for cell in cells) + "|"


def _fitting(lines: list[str], room: int, what: str) -> str:
    """As many lines as there is room for, and how many more there are."""
    size, kept = 0, 0
    for line in lines:
        size += len(line.encode()) + 1
        if size > room:
            break
        kept += 1
    more = (
        [f"\n{len(lines) - kept:,} {what} more: `--report json=PATH` has them all"]
        if kept < len(lines)
        else []
    )
    return "\n".join([*lines[:kept], *more]) + "\n" if lines else ""
