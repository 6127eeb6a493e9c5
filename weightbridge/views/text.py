"""The graph as text: one line a layer, repeated blocks folded, and what the file stores besides weights."""

from collections.abc import Mapping
from typing import Any

from weightbridge.report.render.details import graph_tables, render_tables


def render(graph: Mapping[str, Any]) -> str:
    return render_tables(graph_tables({"graph": graph}))
