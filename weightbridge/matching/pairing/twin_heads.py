"""Doubt about parallel heads: outputs of one shape on one parent, which only the order of a list tells apart.

Weights alone list two such heads in the order in which they were made; another model may make them the other
way round. Names that agree, or counters of a framework on both sides, are enough not to ask.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from weightbridge.matching.confidence import SYMMETRIC
from weightbridge.matching.context import Context, OneFlow, key
from weightbridge.matching.pairing.doubt import SHOWN
from weightbridge.matching.pairing.names import is_automatic, likenesses
from weightbridge.matching.units.units import Reduced
from weightbridge.matching.values import LayerPair
from weightbridge.model.graph import LayerGraph

BY_PLACE = frozenset({"order", "shape"})


def doubted_heads(context: Context, pairs: Sequence[LayerPair]) -> tuple[LayerPair, ...]:
    """The pairs, those of heads that order alone tells apart with the other heads as runners-up."""
    sides = context.one_flow
    if sides is None:
        return tuple(pairs)
    doubted: dict[str, LayerPair] = {}
    for twins in _twins(sides, pairs):
        if len(twins) > 1 and not _is_told_by_names(twins):
            doubted |= {pair.target: _with_rivals(pair, twins) for pair in twins}
    return tuple(doubted.get(pair.target, pair) for pair in pairs)


def _twins(sides: OneFlow, pairs: Sequence[LayerPair]) -> Iterator[list[LayerPair]]:
    """The pairs of each group of parallel heads, of the side that has data flow, that rest on their place
    alone.
    """
    by_place = (pair for pair in pairs if _is_by_place(pair))
    by_name = {pair.source if sides.is_source else pair.target: pair for pair in by_place}
    for names in _twin_heads(sides.flow):
        yield [by_name[name] for name in names if name in by_name]


def _twin_heads(side: Reduced) -> Iterable[list[str]]:
    """Units of one key that give outputs of the model and are fed by the same units."""
    heads = _heads(side.graph)
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for unit in side.weighted:
        if unit.layer.name in heads:
            groups.setdefault((key(unit), side.parents[unit.name]), []).append(unit.name)
    return (names for names in groups.values() if len(names) > 1)


def _heads(graph: LayerGraph) -> set[str]:
    """The last layers with weights before each output."""
    heads: set[str] = set()
    waiting = list(graph.outputs)
    while waiting:
        name = waiting.pop()
        if graph.by_name[name].tensors:
            heads.add(name)
        elif len(graph.parents[name]) == 1:
            waiting += graph.parents[name]
    return heads


def _is_by_place(pair: LayerPair) -> bool:
    return pair.is_claimed and set(pair.evidence) <= BY_PLACE


def _is_told_by_names(twins: Sequence[LayerPair]) -> bool:
    """Whether each pair's names are more alike than those of any other two, or nobody gave them names."""
    sources, targets = [pair.source for pair in twins], [pair.target for pair in twins]
    if all(is_automatic(name) for name in (*sources, *targets)):
        return True
    alike = likenesses(sources, targets)
    own = np.diag(alike)
    others = alike - np.diag(np.full(len(twins), np.inf))
    return bool((own > others.max(axis=0)).all() and (own > others.max(axis=1)).all())


def _with_rivals(pair: LayerPair, twins: Sequence[LayerPair]) -> LayerPair:
    rivals = tuple(twin.source for twin in twins if twin is not pair)[:SHOWN]
    return replace(pair, confidence=SYMMETRIC, runners_up=rivals)
