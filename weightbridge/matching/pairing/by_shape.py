"""Shapes alone, for files that keep neither data flow nor order.

Layers whose roles and shapes occur once on each side.
"""

from collections.abc import Iterable

from weightbridge.matching.confidence import IN_ORDER, SYMMETRIC
from weightbridge.matching.context import Context
from weightbridge.matching.units.units import Unit
from weightbridge.matching.values import LayerPair

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


def by_shape(context: Context) -> tuple[LayerPair, ...]:
    """Certain where nothing is left over.

    Else the one layer of a shape may stand for another one that the other side lacks.
    """
    graphs = context.source.graph, context.target.graph
    if all(graph.order != "names" for graph in graphs) or graphs[0].framework != graphs[1].framework:
        return ()
    source, target = _by_shapes(context.open_source()), _by_shapes(context.open_target())
    is_whole = {k: len(names) for k, names in source.items()} == {k: len(v) for k, v in target.items()}
    confidence = IN_ORDER if is_whole else SYMMETRIC
    pairs = []
    for unit_shapes, names in target.items():
        partners = source.get(unit_shapes, [])
        if len(names) == 1 == len(partners):
            pairs.append(LayerPair(partners[0], names[0], confidence, ("shape",)))
    return tuple(pairs)


def _by_shapes(units: Iterable[Unit]) -> dict[Shapes, list[str]]:
    """The names of all units with weights."""
    names: dict[Shapes, list[str]] = {}
    for unit in units:
        if unit.has_weights:
            names.setdefault(shapes(unit), []).append(unit.name)
    return names


def shapes(unit: Unit) -> Shapes:
    """Roles and shapes of a unit's tensors, whatever its operation is taken for."""
    return tuple(sorted((role, tensor.shape) for role, tensor in unit.tensors))
