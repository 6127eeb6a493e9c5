"""What the readers of both models say, on the right side of a report."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from weightbridge.errors.diagnostics import Finding, with_severity
from weightbridge.matching import changed, with_older_activations
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan

CHANGED_SINCE_SAVED = "WB103"


def said_of_both(source: LayerGraph, target: LayerGraph, plan: Plan) -> tuple[Finding, ...]:
    """What the readers say, for a transfer.

    How today's Keras would run the source is no fault of a transfer, which goes by what the source was when
    it was saved; it is a fault where the target computes it today's way.
    """
    keeps_older = with_older_activations(source)
    of_source = []
    for finding in said_of(source, "source"):
        if finding.code != CHANGED_SINCE_SAVED:
            of_source.append(finding)
        elif finding.source not in keeps_older:
            of_source.append(with_severity(finding, "warning"))
    of_target = (finding for finding in said_of(target, "target") if not _is_filled(target, finding))
    return (*of_source, *changed(source, target, plan.steps), *of_target)


def _is_filled(target: LayerGraph, finding: Finding) -> bool:
    """Whether it is about values that a transfer replaces: those that an architecture lacks, or integers'
    floats.
    """
    is_of_integers = target.framework == "keras" and finding.code == "WB109"
    return is_of_integers or (target.format == "keras-json" and finding.code == "WB105")


def said_when_run(source: LayerGraph, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings about a transfer, as they are for models that are run as they are.

    Unmatched tensors (WB2xx) are no fault, and what changed since the source was saved is one again.
    """
    as_saved = [f for f in said_of(source, "source") if f.code == CHANGED_SINCE_SAVED]
    softened = {with_severity(finding, "warning") for finding in as_saved}
    kept = (f for f in findings if not f.code.startswith("WB2") and f not in softened)
    return (*kept, *dict.fromkeys(as_saved))


def said_of(graph: LayerGraph, side: Literal["source", "target"]) -> Iterator[Finding]:
    """The reader's findings, with the place on this side of the report."""
    for finding in graph.findings:
        place = finding.source or finding.target or graph.path
        if side == "source":
            yield replace(finding, source=place, target="")
        else:
            yield replace(finding, source="", target=place)
