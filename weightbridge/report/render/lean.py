"""The report's JSON object without the graphs of both models, which pictures alone need."""

from collections.abc import Mapping
from typing import Any

from weightbridge.report.render.json import render as render_whole


def render(report: Mapping[str, Any]) -> str:
    return render_whole({key: value for key, value in report.items() if key != "graphs"})
