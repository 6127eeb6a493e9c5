"""Doubt: a pair that only one side of its surroundings supports is ambiguous while a unit like it is left
over.
"""

from dataclasses import replace
from itertools import chain, islice

from weightbridge.matching.confidence import DOUBTFUL
from weightbridge.matching.context import Context, key
from weightbridge.matching.values import LayerPair

SHOWN = 5


def doubted(context: Context) -> tuple[LayerPair, ...]:
    """All pairs, in target order; those in doubt with lower confidence and their runners-up."""
    spare_source: dict[str, list[str]] = {}
    for unit in context.open_source():
        if unit.has_weights:
            spare_source.setdefault(key(unit), []).append(unit.name)
    spare_target = {key(u) for u in context.open_target() if u.has_weights}
    rivals: dict[str, list[str]] = {}
    for pair in context.pairs.values():
        rivals.setdefault(key(context.source.by_name[pair.source]), []).append(pair.source)
    ordered = (context.pairs[u.name] for u in context.target.units if u.name in context.pairs)
    return tuple(_doubt(context, pair, spare_source, spare_target, rivals) for pair in ordered)


def _doubt(
    context: Context,
    pair: LayerPair,
    spare_source: dict[str, list[str]],
    spare_target: set[str],
    rivals: dict[str, list[str]],
) -> LayerPair:
    unit = context.target.by_name[pair.target]
    if not unit.has_weights or "one-sided" not in pair.evidence:
        return pair
    evidence = tuple(e for e in pair.evidence if e != "one-sided")
    spare = spare_source.get(key(unit), [])
    if not spare and key(unit) not in spare_target:
        return replace(pair, evidence=evidence, confidence=max(pair.confidence, DOUBTFUL))
    others = (n for n in chain(spare, rivals.get(key(unit), ())) if n != pair.source)
    return replace(pair, evidence=evidence, confidence=DOUBTFUL, runners_up=tuple(islice(others, SHOWN)))
