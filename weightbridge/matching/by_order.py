"""Shape and position: what is left is aligned in file order, with gaps, between the pairs that are already certain."""

from collections import Counter
from dataclasses import replace

from weightbridge.matching.alignment import align
from weightbridge.matching.by_shape import UNORDERED
from weightbridge.matching.context import DOUBTFUL, IN_ORDER, SYMMETRIC, Context, key
from weightbridge.matching.doubt import SHOWN
from weightbridge.matching.names import likenesses
from weightbridge.matching.units import Unit
from weightbridge.matching.values import LayerPair
from weightbridge.tensors import Array

BY_CLASS = frozenset({"keras-weights-h5"})  # formats that keep the order of layers within a class only


def by_order(context: Context) -> tuple[LayerPair, ...]:
    """Pairs of equal key in rising order; certain only where nothing of that key is left over."""
    source = [u for u in context.source.weighted if u.name not in context.closed_source]
    target = [u for u in context.target.weighted if u.name not in context.closed_target]
    if not {context.source.graph.format, context.target.graph.format} & BY_CLASS:
        return _aligned(context, source, target)
    families = dict.fromkeys(u.family for u in target)
    return tuple(p for f in families for p in _aligned(context, [u for u in source if u.family == f], [u for u in target if u.family == f]))


def _aligned(context: Context, source: list[Unit], target: list[Unit]) -> tuple[LayerPair, ...]:
    anchors = {p.source: f"pair {t}" for t, p in context.pairs.items()}
    left = [anchors.get(u.name, key(u)) for u in source]
    right = [f"pair {u.name}" if u.name in context.pairs else key(u) for u in target]
    if not any(u.name not in context.pairs for u in target):
        return ()
    pairs = [(source[i], target[j]) for i, j in align(left, right, _tie_break(source, target)) if target[j].name not in context.pairs]
    counts = Counter(left), Counter(right)
    whole = left == right and not {context.source.graph.format, context.target.graph.format} & UNORDERED
    found = tuple(_pair(s, t, counts[0][key(t)], counts[1][key(t)], whole) for s, t in pairs)
    return _with_rivals(context, found, source)


def _with_rivals(context: Context, pairs: tuple[LayerPair, ...], source: list[Unit]) -> tuple[LayerPair, ...]:
    """Where order alone decided, the other open sources of the same key are runners-up."""
    rivals: dict[str, list[str]] = {}
    for unit in source:
        if unit.name not in context.taken:
            rivals.setdefault(key(unit), []).append(unit.name)
    return tuple(
        replace(p, runners_up=_others(p, rivals[key(context.source.by_name[p.source])])) if p.confidence == SYMMETRIC else p for p in pairs
    )


def _others(pair: LayerPair, rivals: list[str]) -> tuple[str, ...]:
    return tuple(name for name in rivals[: SHOWN + 1] if name != pair.source)[:SHOWN]


def _tie_break(source: list[Unit], target: list[Unit]) -> Array | None:
    """Likeness of names, where the table is small enough to be worth it."""
    if len(source) * len(target) > 40_000:
        return None
    return likenesses([u.name for u in source], [u.name for u in target])


def _pair(source: Unit, target: Unit, n_source: int, n_target: int, whole: bool) -> LayerPair:
    if n_source == n_target:
        return LayerPair(source.name, target.name, IN_ORDER if whole or n_source == 1 else SYMMETRIC, ("order", "shape"))
    return LayerPair(source.name, target.name, DOUBTFUL, ("order", "shape", "one-sided"))
