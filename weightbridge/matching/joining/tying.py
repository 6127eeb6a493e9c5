"""Weights that one side uses twice.

Tied tensors stand for the missing ones, and what is tied on one side only is said (WB211).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from weightbridge.boundary.shell import option
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.matching.confidence import SYMMETRIC
from weightbridge.matching.context import Context, key
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.matching.values import LayerPair
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import stored_axes
from weightbridge.model.tensors import Tensor

TIED_THERE = "tied in the target"  # what such a finding is about


def tied_tensor(graph: LayerGraph, layer: Layer, role: str) -> Tensor | None:
    """The tensor of an earlier layer that this one reads too (exporters merge equal constants)."""
    name = (layer.attributes.get("tied") or {}).get(role, "")
    owner = graph.owner.get(name)
    tensor = next((t for t in owner.tensors if t.name == name), None) if owner is not None else None
    if tensor is None:
        return None
    read = replace(tensor, role=role)  # a table of embeddings is the kernel of the head that it is tied to
    return replace(tensor, axes=stored_axes(graph.framework, layer, read))


def untied_pairs(context: Context) -> tuple[LayerPair, ...]:
    """Open target units of the shape of a source layer that is called more often than its counterpart.

    They get its weights too.
    """
    targets = {pair.source: pair.target for pair in context.pairs.values()}
    pairs: list[LayerPair] = []
    for spare, unit in _called_more(context.source, context.target, targets):
        alike = [other for other in context.open_target() if _is_twin(other, unit)]
        if len(alike) <= spare:
            pairs += [LayerPair(unit.name, twin.name, SYMMETRIC, ("structure", "tied")) for twin in alike]
    return tuple(pairs)


def _is_twin(unit: Unit, other: Unit) -> bool:
    return _is_like(unit, other) and unit.roles.keys() == other.roles.keys()


def said_of_ties(context: Context, untied: tuple[LayerPair, ...]) -> Iterator[Finding]:
    """untied: the pairs whose target layers get the weights of a layer that the source calls again."""
    for pair in untied:
        message = (
            f"{pair.target}: the source calls {pair.source} a second time there: "
            "tied there, apart here; both get its weights"
        )
        apart = option("--fresh", pair.target)
        fix = f"nothing to do where both may have its weights; to keep this one apart declare it: {apart}"
        yield finding("WB211", message, source=pair.source, target=pair.target, fix=fix)
    sources = {target: pair.source for target, pair in context.pairs.items()}
    for _, again in _called_more(context.target, context.source, sources):
        for unit in context.open_source():
            if not _is_like(unit, again):
                continue
            message = (
                f"{unit.name}: the target calls {again.name} a second time there: "
                "apart in the source, tied here; one is lost"
            )
            lost = option("--unused", unit.name)
            fix = f"build the target with a layer for each; where the loss is meant, declare it: {lost}"
            yield finding("WB211", message, source=unit.name, target=again.name, fix=fix, about=TIED_THERE)


def _is_like(unit: Unit, other: Unit) -> bool:
    return unit.has_weights and key(unit) == key(other)


def _called_more(side: Reduced, other: Reduced, pairs: Mapping[str, str]) -> Iterator[tuple[int, Unit]]:
    """Units of one side that it calls more often than the other side calls their counterparts, and how much
    more often.
    """
    calls, calls_there = _further_calls(side.graph), _further_calls(other.graph)
    for name, n in calls.items():
        if name not in side.by_name or name not in pairs:
            continue
        spare = n - calls_there[pairs[name]]
        if spare > 0:
            yield spare, side.by_name[name]


def _further_calls(graph: LayerGraph) -> Counter[str]:
    """How often each layer is called again."""
    firsts = (layer.attributes.get("shared_with") for layer in graph.layers if not layer.tensors)
    return Counter(name for name in firsts if isinstance(name, str))
