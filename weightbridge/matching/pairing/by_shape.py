"""Shapes alone, for files that keep neither data flow nor order: layers whose roles and shapes occur once on
each side.
"""

from collections import Counter

from weightbridge.matching.confidence import IN_ORDER, SYMMETRIC
from weightbridge.matching.context import Context
from weightbridge.matching.units.units import Unit
from weightbridge.matching.values import LayerPair

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


def by_shape(context: Context) -> tuple[LayerPair, ...]:
    """Certain where nothing is left over: else the one layer of a shape may stand for another one that the
    other side lacks.
    """
    graphs = context.source.graph, context.target.graph
    if all(graph.order != "names" for graph in graphs) or graphs[0].framework != graphs[1].framework:
        return ()
    left, right = (
        [u for u in side if u.has_weights] for side in (context.open_source(), context.open_target())
    )
    counts = Counter(map(shapes, left)), Counter(map(shapes, right))
    sure = IN_ORDER if counts[0] == counts[1] else SYMMETRIC
    partners = {shapes(u): u for u in left if counts[0][shapes(u)] == 1}
    alone = (u for u in right if counts[1][shapes(u)] == 1 and shapes(u) in partners)
    return tuple(LayerPair(partners[shapes(u)].name, u.name, sure, ("shape",)) for u in alone)


def shapes(unit: Unit) -> Shapes:
    """Roles and shapes of a unit's tensors, whatever its operation is taken for."""
    return tuple(sorted((role, tensor.shape) for role, tensor in unit.tensors))
