"""The table of report formats: modules with `render(report) -> str`, imported when asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from weightbridge.errors import UsageError

Renderer = Callable[[Mapping[str, Any]], str]
RENDERERS: dict[str, str] = {
    "text": "weightbridge.report.render.text",
    "json": "weightbridge.report.render.json",
    "json:lean": "weightbridge.report.render.lean",
    "markdown": "weightbridge.report.render.markdown",
    "comment": "weightbridge.report.render.comment",
    "html": "weightbridge.report.render.html",
    "svg": "weightbridge.report.render.svg",
    "junit": "weightbridge.report.render.junit",
    "github": "weightbridge.report.render.github",
    "sarif": "weightbridge.report.render.sarif",
    "gitlab": "weightbridge.report.render.gitlab",
}


def renderer(format: str) -> Renderer:
    """Raises UsageError for a format that there is none of."""
    if format not in RENDERERS:
        raise UsageError(f"there is no report format {format!r}", fix=f"Available: {', '.join(RENDERERS)}")
    render: Renderer = import_module(RENDERERS[format]).render
    return lambda report: _together(format, report) if "pairs" in report else render(report)


def _together(format: str, report: Mapping[str, Any]) -> str:
    """All pairs of a policy in one report."""
    from weightbridge.report.render import pairs  # few commands have several

    if format not in pairs.TOGETHER:
        raise UsageError(f"{format!r} shows one pair of models", fix=f"Use {', '.join(pairs.TOGETHER)}")
    return pairs.TOGETHER[format](report)
