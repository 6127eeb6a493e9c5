"""The skeleton of a Keras 3 file: the model in today's terms, `.keras` or `.h5`."""

from pathlib import Path
from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.commands.skeletons.values import Skeleton, mended, said_of
from weightbridge.commands.skeletons.writing import write_keras
from weightbridge.converting import lowered
from weightbridge.converting.rewrite import SCALED
from weightbridge.converting.values import Lowered
from weightbridge.errors.diagnostics import Finding
from weightbridge.formats.templates import Template
from weightbridge.model.graph import LayerGraph
from weightbridge.planning.conversions.conversion import conversion_plan

SAID_ANEW = "hard_sigmoid had the slope 0.2 when the model was saved"  # by what it is multiplied with as well


def make(_: Any, source: LayerGraph, path: Path, options: Options) -> Skeleton:
    """Raises Unsupported for what Keras 3 has no layer for."""
    terms = lowered(source)
    graph = write_keras(path, terms.config, source)
    plan, findings = conversion_plan(source, graph, terms, options)
    return Skeleton(Template(graph, graph), plan, (*_notes_of(source, terms), *findings))


def _notes_of(source: LayerGraph, terms: Lowered) -> tuple[Finding, ...]:
    """What was rewritten, a rule a line; what is not carried; what differs in training."""
    return (
        *(
            found
            for found in mended(source)
            if SCALED not in terms.rewritten or SAID_ANEW not in found.message
        ),
        *said_of(terms.rewritten, "WB110", "note"),
        *said_of(terms.left, "WB203", "note"),
        *said_of(terms.training, "WB407", "warning"),
    )
