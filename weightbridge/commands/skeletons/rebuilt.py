"""The skeleton of a Keras 3 file from the graph of another format."""

from pathlib import Path
from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.commands.skeletons.values import Skeleton, said_of
from weightbridge.commands.skeletons.writing import write_keras
from weightbridge.converting.from_graph import Settings, asked_for, drawn
from weightbridge.formats.templates import Template
from weightbridge.model.graph import LayerGraph
from weightbridge.planning.conversions.rebuilt import rebuilt_plan


def make(_: Any, source: LayerGraph, path: Path, options: Options) -> Skeleton:
    """Raises Unsupported for what Keras has no layer for."""
    made = drawn(source, Settings(options.input_layout or Settings().input_layout))
    graph = write_keras(path, made.config, asked_for(made))
    plan, findings = rebuilt_plan(source, graph, made, options)
    notes = (
        *said_of(made.rewritten, "WB110", "note"),
        *said_of(made.untied, "WB211", "note"),
    )
    return Skeleton(Template(graph, graph), plan, (*notes, *findings))
