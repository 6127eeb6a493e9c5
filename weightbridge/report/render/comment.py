"""The report as a comment in a pull request: the digest alone, under a mark by which it is found again."""

import re
from collections.abc import Mapping
from typing import Any

from weightbridge.report.digest import digest
from weightbridge.report.render.markdown import head_lines, summary_lines, ways

LIMIT = 60_000


def render(report: Mapping[str, Any]) -> str:
    """The first line is `<!-- weightbridge:PAIR -->`."""
    made = digest(report)
    lines = (mark(report), *head_lines(made), *summary_lines(made), *ways(made))
    return _cut("\n".join(lines) + "\n")


def mark(report: Mapping[str, Any]) -> str:
    """The same for two reports of one pair, and for no other."""
    return f"<!-- weightbridge:{pair_of(report)} -->"


def pair_of(report: Mapping[str, Any]) -> str:
    """`r50.keras:inc.keras`: the names of both models, without what may end a comment."""
    paths = [report[side]["path"] for side in ("source", "target") if report[side]]
    names = [re.sub(r"[^A-Za-z0-9_./]+", "-", path)[-100:].strip("-") for path in paths]
    return ":".join(names) or report["command"]


def _cut(text: str) -> str:
    data = text.encode()
    if len(data) < LIMIT:
        return text
    return data[: LIMIT - 100].decode(errors="ignore").rpartition("\n")[0] + "\n\nThe report has more.\n"
