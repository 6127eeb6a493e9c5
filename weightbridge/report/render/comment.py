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
    return cut("\n".join(lines) + "\n")


def mark(report: Mapping[str, Any]) -> str:
    """The same for two reports of one pair, and for no other."""
    return mark_of(pair_of(report))


def mark_of(name: str) -> str:
    return f"<!-- weightbridge:{plain_name(name)} -->"


def pair_of(report: Mapping[str, Any]) -> str:
    """Its name in the policy, or `r50.keras:inc.keras`, both models."""
    paths = [report[side]["path"] for side in ("source", "target") if report[side]]
    return plain_name(report.get("pair", "")) or ":".join(map(plain_name, paths)) or report["command"]


def plain_name(text: str) -> str:
    """Without what may end a comment."""
    return re.sub(r"[^A-Za-z0-9_./:]+", "-", text)[-100:].strip("-")


def cut(text: str) -> str:
    data = text.encode()
    if len(data) < LIMIT:
        return text
    return data[: LIMIT - 100].decode(errors="ignore").rpartition("\n")[0] + "\n\nThe report has more.\n"
