"""Neighbours: an open unit whose inputs are all paired corresponds to the only open unit with those inputs on the other side."""

from weightbridge.matching.context import STRUCTURE, Context, is_compatible, key
from weightbridge.matching.units import Unit
from weightbridge.matching.values import LayerPair


def by_neighbours(context: Context) -> tuple[LayerPair, ...]:
    """Pairs of normalisations and other leftovers, sweep after sweep, until nothing new is found."""
    found: list[LayerPair] = []
    while context.has_flow:
        new = _sweep(context)
        if not new:
            break
        found += new
        context = context.with_pairs(new)
    return tuple(found)


def _sweep(context: Context) -> list[LayerPair]:
    candidates: dict[tuple[str, ...], list[Unit]] = {}
    for unit in context.open_source():
        candidates.setdefault(context.source.parents[unit.name], []).append(unit)
    found = []
    for unit in context.open_target():
        feeding = tuple(_counterpart(context, p) for p in context.target.parents[unit.name])
        fitting = [c for c in candidates.get(feeding, ()) if is_compatible(c, unit) and key(c) == key(unit)]
        if feeding and len(fitting) > 1:
            fitting = [c for c in fitting if _reads_alike(context, c, unit)]
        if feeding and len(fitting) == 1:
            found.append(LayerPair(fitting[0].name, unit.name, STRUCTURE, ("structure", "shape")))
            candidates[feeding].remove(fitting[0])
    return found


def _counterpart(context: Context, parent: str) -> str:
    return context.pairs[parent].source if parent in context.pairs else ("" if not parent else "\0open")


def _reads_alike(context: Context, source: Unit, target: Unit) -> bool:
    """The units that read them are paired with each other."""
    reading = {context.pairs[c].source for c in context.target.children[target.name] if c in context.pairs}
    return bool(reading) and reading == set(context.source.children[source.name])
