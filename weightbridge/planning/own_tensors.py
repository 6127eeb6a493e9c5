"""Layers of a target that get a tensor of their own where its file has one for several of them."""

from collections.abc import Iterable, Iterator, Sequence

from weightbridge.errors.diagnostics import Finding, finding, listed, with_severity
from weightbridge.matching.joining.tying import TIED_THERE
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.plan import Plan

APART = "apart"  # the detail of such a layer: the names of what it has shared, by role
SHOWN = 4
FIX = "nothing, where that is meant; to keep them tied, transfer from a source that ties them"


def said_of_own(target: LayerGraph, plan: Plan) -> Iterator[Finding]:
    """WB211: a note where an exporter has merged equal vectors, a warning where a layer is called again."""
    given = {target.owner[step.target].name for step in plan.steps if step.sources}
    layers = [layer for layer in target.layers if APART in layer.details and layer.name in given]
    yield from _of_merged([layer for layer in layers if not _has_kernel(layer)])
    yield from _of_called([layer for layer in layers if _has_kernel(layer)])


def _of_merged(layers: Sequence[Layer]) -> Iterator[Finding]:
    if layers:
        yield with_severity(_said(layers, "equal values that its exporter has merged"), "note")


def _of_called(layers: Sequence[Layer]) -> Iterator[Finding]:
    if layers:
        yield _said(layers, "tied there, apart in the source")


def called_again(target: LayerGraph, findings: Iterable[Finding]) -> frozenset[str]:
    """The target's layers that call another again, where the source has layers of their own for them."""
    firsts = {found.target for found in findings if found.code == "WB211" and found.about == TIED_THERE}
    return frozenset(x.name for x in target.layers if x.attributes.get("shared_with") in firsts)


def planned_apart(target: LayerGraph, plan: Plan) -> frozenset[str]:
    """The layers that call others again, for which a plan has steps of their own."""
    again = [layer.name for layer in target.layers if "shared_with" in layer.attributes]
    names = tuple(step.target for step in plan.steps)
    return frozenset(name for name in again if any(step.startswith(f"{name}/") for step in names))


def _has_kernel(layer: Layer) -> bool:
    return any(tensor.role in layer.details[APART] and len(tensor.shape) > 1 for tensor in layer.tensors)


def _said(layers: Sequence[Layer], why: str) -> Finding:
    names = tuple(dict.fromkeys(name for layer in layers for name in layer.details[APART].values()))
    readers = listed([layer.name for layer in layers], SHOWN)
    message = f"several layers of the target read {listed(names, SHOWN)} ({why})"
    return finding(
        "WB211", f"{message}; in OUTPUT {readers} have their own", target=layers[0].name, fix=FIX, about=APART
    )
