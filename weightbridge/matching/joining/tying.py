"""Weights that one side uses twice: tied tensors stand for the missing ones, and what is tied on one side
only is said (WB211).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from weightbridge.diagnostics import Finding, finding
from weightbridge.matching.confidence import SYMMETRIC
from weightbridge.matching.context import Context, key
from weightbridge.matching.units.units import Unit
from weightbridge.matching.values import LayerPair
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import stored_axes
from weightbridge.model.tensors import Tensor

FIX = "tie them in both models, or in neither; to keep one apart, name its source with --map SOURCE=TARGET or declare it fresh"


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
    """Open target units of the shape of a source layer that is called more often than its counterpart: they
    get its weights too.
    """
    found: list[LayerPair] = []
    for spare, layer in _calls(
        context,
        context.source.graph,
        context.target.graph,
        {p.source: p.target for p in context.pairs.values()},
    ):
        alike = [
            u
            for u in context.open_target()
            if u.has_weights and key(u) == key(layer) and u.roles.keys() == layer.roles.keys()
        ]
        if 0 < len(alike) <= spare:
            found += [LayerPair(layer.name, u.name, SYMMETRIC, ("structure", "tied")) for u in alike]
    return tuple(found)


def said_of_ties(context: Context, untied: tuple[LayerPair, ...]) -> Iterator[Finding]:
    for pair in untied:
        message = f"{pair.target}: the source calls {pair.source} a second time there: tied there, apart here; both get its weights"
        yield finding("WB211", message, source=pair.source, target=pair.target, fix=FIX)
    for _, layer in _calls(
        context, context.target.graph, context.source.graph, {t: p.source for t, p in context.pairs.items()}
    ):
        for unit in context.open_source():
            if unit.has_weights and key(unit) == key(layer):
                message = f"{unit.name}: the target calls {layer.name} a second time there: apart in the source, tied here; one is lost"
                yield finding("WB211", message, source=unit.name, target=layer.name, fix=FIX)


def _calls(
    context: Context, one: LayerGraph, other: LayerGraph, pairs: Mapping[str, str]
) -> Iterator[tuple[int, Unit]]:
    """Units of one side that it calls more often than the other side calls their counterparts, and how much
    more often.
    """
    left, right = _counts(one), _counts(other)
    side = context.source if one is context.source.graph else context.target
    for name, n in left.items():
        if name in side.by_name and name in pairs and n > right.get(pairs[name], 0):
            yield n - right.get(pairs[name], 0), side.by_name[name]


def _counts(graph: LayerGraph) -> dict[str, int]:
    found: dict[str, int] = {}
    for layer in graph.layers:
        first = layer.attributes.get("shared_with")
        if isinstance(first, str) and not layer.tensors:
            found[first] = found.get(first, 0) + 1
    return found
