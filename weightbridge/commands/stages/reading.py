"""What the readers of both models say, on the right side of a report."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from weightbridge.commands.stages.older import with_conversion
from weightbridge.errors.diagnostics import Finding, finding, with_severity
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan

CHANGED_SINCE_SAVED = "WB103"
OF_ONE_SIDE = frozenset({"WB102", "WB103", "WB104", "WB107"})  # which both sides may have alike


def said_of_both(source: LayerGraph, target: LayerGraph, plan: Plan) -> tuple[Finding, ...]:
    """What the readers say, for a transfer.

    How today's Keras would run the source is no fault of a transfer, which goes by what the source was when
    it was saved; it is a fault where the target computes it today's way.
    """
    from weightbridge.matching.differences.older_activations import changed, with_older_activations

    keeps_older = with_older_activations(source)
    of_source = []
    for found in said_of(source, "source"):
        if found.code != CHANGED_SINCE_SAVED:
            of_source.append(found)
        elif found.source not in keeps_older:
            of_source.append(with_severity(found, "warning"))
    of_target = (found for found in said_of(target, "target") if not _is_filled(target, found))
    return (*of_source, *changed(source, target, plan.steps), *of_target)


def as_wanted(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings where --dequantize asks for the floats of quantised values: no warning but their loss."""
    for found in findings:
        is_applied = found.code == "WB109" and found.severity == "warning" and bool(found.source)
        yield _loss(found) if is_applied else found


def _loss(found: Finding) -> Finding:
    message = f"{found.message}; what quantising rounded off is lost"
    fix = "for the weights before that give the model as it was before it was quantised"
    return finding("WB302", message, source=found.source, fix=fix)


def _is_filled(target: LayerGraph, found: Finding) -> bool:
    """Whether it is about values that a transfer replaces: those that an architecture lacks, or integers'
    floats.
    """
    is_of_integers = target.framework == "keras" and found.code == "WB109"
    return is_of_integers or (target.format == "keras-json" and found.code == "WB105")


def said_when_run(source: LayerGraph, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings about a transfer, as they are for models that are run as they are.

    Unmatched tensors (WB2xx) are no fault, and what changed since the source was saved is one again.
    """
    as_saved = [f for f in said_of(source, "source") if f.code == CHANGED_SINCE_SAVED]
    softened = {with_severity(found, "warning") for found in as_saved}
    kept = (f for f in findings if not f.code.startswith("WB2") and f not in softened)
    return (*kept, *dict.fromkeys(as_saved))


def said_of(graph: LayerGraph, side: Literal["source", "target"]) -> Iterator[Finding]:
    """The reader's findings, with the place on this side of the report, which some of them name too."""
    for read in with_conversion(graph):
        found = replace(read, message=f"the {side}: {read.message}") if read.code in OF_ONE_SIDE else read
        place = found.source or found.target or graph.path
        if side == "source":
            yield replace(found, source=place, target="")
        else:
            yield replace(found, source="", target=place)
