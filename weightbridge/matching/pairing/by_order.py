"""Shape and position: what is left is aligned in file order, with gaps, between the pairs that are already
certain.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from weightbridge.matching.confidence import DOUBTFUL, IN_ORDER, SYMMETRIC
from weightbridge.matching.context import Context, key
from weightbridge.matching.pairing.doubt import SHOWN
from weightbridge.matching.pairing.keras_order import in_keras_order, listed
from weightbridge.matching.pairing.names import likenesses
from weightbridge.matching.sequences.alignment import align
from weightbridge.matching.units.directions import is_backward
from weightbridge.matching.units.reduce import PROJECTIONS
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.matching.values import LayerPair
from weightbridge.model.graph import Order
from weightbridge.model.tensors import Array
from weightbridge.model.vocabulary import RECURRENT


def by_order(context: Context) -> tuple[LayerPair, ...]:
    """Pairs of equal key in rising order; certain only where nothing of that key is left over, or where two
    lists of Keras's are alike.
    """
    if not context.has_flow and context.is_listed_alike:
        return tuple(
            LayerPair(s.name, t.name, IN_ORDER, ("order", "shape"))
            for s, t in listed(context)
            if t.name not in context.pairs
        )
    source = [u for u in context.source.weighted if u.name not in context.closed_source]
    target = [u for u in context.target.weighted if u.name not in context.closed_target]
    if "class" not in _orders(context):
        return _aligned(context, source, target)
    if context.source.graph.has_flow == context.target.graph.has_flow:
        return _by_family(context, source, target)
    return _in_both_orders(context, source, target)


def _orders(context: Context) -> set[Order]:
    return {context.source.graph.order, context.target.graph.order}


def _by_family(context: Context, source: list[Unit], target: list[Unit]) -> tuple[LayerPair, ...]:
    families = dict.fromkeys(_class(u) for u in target)
    return tuple(
        p
        for f in families
        for p in _aligned(
            context, [u for u in source if _class(u) == f], [u for u in target if _class(u) == f]
        )
    )


def _class(unit: Unit) -> tuple[str, bool]:
    """The family, both directions of recurrent layers apart: a file may list them in either order."""
    return unit.family, unit.family in RECURRENT and is_backward(unit.name, unit.layer)


def _in_both_orders(context: Context, source: list[Unit], target: list[Unit]) -> tuple[LayerPair, ...]:
    """With the side that has data flow in Keras's order, and in its own: what both say is as sure as order
    can be.
    """
    own = _by_family(context, source, target)
    given, wanted = (
        (_sorted(context.source, source), target)
        if context.source.graph.has_flow
        else (source, _sorted(context.target, target))
    )
    keras = _by_family(context, given, wanted)
    best, other = (keras, own) if len(keras) >= len(own) else (own, keras)
    agreed = {(p.source, p.target) for p in other}
    return tuple(
        p if (p.source, p.target) in agreed else replace(p, confidence=min(p.confidence, SYMMETRIC))
        for p in best
    )


def _sorted(side: Reduced, units: list[Unit]) -> list[Unit]:
    place = {u.name: i for i, u in enumerate(in_keras_order(side))}
    return sorted(units, key=lambda u: place[u.name])


def layers_by_order(context: Context) -> tuple[LayerPair, ...]:
    """The same without normalisations, where one side alone has data flow: those follow their layers."""
    if context.source.graph.has_flow == context.target.graph.has_flow:
        return ()
    return tuple(p for p in by_order(context) if context.target.by_name[p.target].family != "Norm")


def _aligned(context: Context, source: list[Unit], target: list[Unit]) -> tuple[LayerPair, ...]:
    if not any(u.name not in context.pairs for u in target):
        return ()
    anchors = {p.source: f"pair {t}" for t, p in context.pairs.items()}
    keys = _keys(source, target)
    left = [anchors.get(u.name, keys[u.name, 0]) for u in source]
    right = [f"pair {u.name}" if u.name in context.pairs else keys[u.name, 1] for u in target]
    pairs = [
        (source[i], target[j])
        for i, j in align(left, right, _tie_break(source, target))
        if target[j].name not in context.pairs
    ]
    counts = Counter(left), Counter(right)
    whole = left == right and "names" not in _orders(context)
    found = tuple(
        _pair(
            s,
            t,
            counts[0][keys[t.name, 1]],
            counts[1][keys[t.name, 1]],
            whole and not _is_unordered(context, s, t),
        )
        for s, t in pairs
    )
    return _with_rivals(found, {u.name: keys[u.name, 0] for u in source if u.name not in context.taken})


def _is_unordered(context: Context, source: Unit, target: Unit) -> bool:
    """A projection of Keras's attention: three of one size, which Keras and other writers list in different
    orders.
    """
    graph, (outer, _, own) = context.target.graph, target.layer.name.rpartition("/")
    within = graph.by_name[outer].op == "Attention" if outer in graph.by_name else False
    return (
        within
        and own in PROJECTIONS
        and not source.function
        and context.source.graph.framework != graph.framework
    )


def _keys(source: list[Unit], target: list[Unit]) -> dict[tuple[str, int], str]:
    """(name, side) -> key; with the number of outputs in families in which all units of both sides tell it."""
    sides = [(u, n) for n, side in enumerate((source, target)) for u in side]
    silent = {u.family for u, _ in sides if _outputs(u) is None}
    return {(u.name, n): key(u) if u.family in silent else f"{key(u)}:{_outputs(u)}" for u, n in sides}


def _outputs(unit: Unit) -> int | None:
    found = unit.layer.attributes.get("filters", unit.layer.attributes.get("units"))
    return found if isinstance(found, int) else None


def _with_rivals(pairs: tuple[LayerPair, ...], open_keys: Mapping[str, str]) -> tuple[LayerPair, ...]:
    """Where order alone decided, the other open sources of the same key are runners-up."""
    rivals: dict[str, list[str]] = {}
    for name, own in open_keys.items():
        rivals.setdefault(own, []).append(name)
    return tuple(
        replace(p, runners_up=_others(p, rivals[open_keys[p.source]])) if p.confidence == SYMMETRIC else p
        for p in pairs
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
        return LayerPair(
            source.name, target.name, IN_ORDER if whole or n_source == 1 else SYMMETRIC, ("order", "shape")
        )
    return LayerPair(source.name, target.name, DOUBTFUL, ("order", "shape", "one-sided"))
