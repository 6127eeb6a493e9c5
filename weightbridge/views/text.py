"""The graph as text: one line a layer, repeated blocks folded, and what the file stores besides weights."""

from collections.abc import Mapping
from typing import Any

from weightbridge.report.render.sections import excluded, layers
from weightbridge.report.render.text import render_tables


def render(graph: Mapping[str, Any]) -> str:
    return render_tables((layers(graph), excluded(graph)))
