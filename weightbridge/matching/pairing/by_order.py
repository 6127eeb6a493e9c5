"""Shape and position: what is left is aligned in file order, with gaps, between the pairs that are already
certain.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from weightbridge.matching.confidence import DOUBTFUL, IN_ORDER, SYMMETRIC
from weightbridge.matching.context import Context, key
from weightbridge.matching.pairing.doubt import SHOWN
from weightbridge.matching.pairing.keras_order import listed, sorted_as_keras
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
    """Pairs of equal key in rising order.

    They are certain only where nothing of that key is left over, or where two lists of Keras's are alike.
    """
    if not context.has_flow and context.is_listed_alike:
        return _in_order_of_lists(context)
    source = [unit for unit in context.source.weighted if unit.name not in context.closed_source]
    target = [unit for unit in context.target.weighted if unit.name not in context.closed_target]
    if "class" not in _orders(context):
        return _aligned(context, source, target)
    if context.one_flow is None:
        return _by_family(context, source, target)
    return _in_both_orders(context, source, target)


def _in_order_of_lists(context: Context) -> tuple[LayerPair, ...]:
    pairs = [(ours.name, theirs.name) for ours, theirs in listed(context)]
    unpaired = [(ours, theirs) for ours, theirs in pairs if theirs not in context.pairs]
    return tuple(LayerPair(ours, theirs, IN_ORDER, ("order", "shape")) for ours, theirs in unpaired)


def _orders(context: Context) -> set[Order]:
    return {context.source.graph.order, context.target.graph.order}


def _by_family(context: Context, source: list[Unit], target: list[Unit]) -> tuple[LayerPair, ...]:
    pairs: list[LayerPair] = []
    for family in dict.fromkeys(_class(unit) for unit in target):
        of_source = [unit for unit in source if _class(unit) == family]
        of_target = [unit for unit in target if _class(unit) == family]
        pairs += _aligned(context, of_source, of_target)
    return tuple(pairs)


def _class(unit: Unit) -> tuple[str, bool]:
    """The family, both directions of recurrent layers apart: a file may list them in either order."""
    return unit.family, unit.family in RECURRENT and is_backward(unit.name, unit.layer)


def _in_both_orders(context: Context, source: list[Unit], target: list[Unit]) -> tuple[LayerPair, ...]:
    """With the side that has data flow in Keras's order, and in its own.

    What both say is as sure as order can be.
    """
    in_own_order = _by_family(context, source, target)
    if context.source.graph.has_flow:
        in_keras_order = _by_family(context, _sorted(context.source, source), target)
    else:
        in_keras_order = _by_family(context, source, _sorted(context.target, target))
    more, fewer = in_keras_order, in_own_order
    if len(more) < len(fewer):
        more, fewer = fewer, more
    agreed = {(pair.source, pair.target) for pair in fewer}
    return tuple(
        pair
        if (pair.source, pair.target) in agreed
        else replace(pair, confidence=min(pair.confidence, SYMMETRIC))
        for pair in more
    )


def _sorted(side: Reduced, units: list[Unit]) -> list[Unit]:
    place = {u.name: i for i, u in enumerate(sorted_as_keras(side))}
    return sorted(units, key=lambda u: place[u.name])


def layers_by_order(context: Context) -> tuple[LayerPair, ...]:
    """The same without normalisations, where one side alone has data flow: those follow their layers."""
    if context.one_flow is None:
        return ()
    return tuple(p for p in by_order(context) if context.target.by_name[p.target].family != "Norm")


def _aligned(context: Context, source: list[Unit], target: list[Unit]) -> tuple[LayerPair, ...]:
    """Pairs between the pairs that are there already, by key and place."""
    if all(unit.name in context.pairs for unit in target):
        return ()
    keys = _keys(source, target)
    left, right = _anchored(context, keys, source, target)
    is_whole = left == right and "names" not in _orders(context)
    in_source, in_target = Counter(left), Counter(right)
    aligned = [(source[i], target[j]) for i, j in align(left, right, _tie_break(source, target))]
    pairs = []
    for ours, theirs in _unpaired(context, aligned):
        own_key = keys[theirs.name, 1]
        is_sure = is_whole and not _is_unordered(context, ours, theirs)
        pairs.append(_pair(ours, theirs, in_source[own_key], in_target[own_key], is_sure))
    open_keys = {unit.name: keys[unit.name, 0] for unit in source if unit.name not in context.taken}
    return _with_rivals(tuple(pairs), open_keys)


def _anchored(
    context: Context, keys: Mapping[tuple[str, int], str], source: list[Unit], target: list[Unit]
) -> tuple[list[str], list[str]]:
    """The keys of both sides; those of units that are paired already name their pair."""
    of_source = {pair.source: f"pair {name}" for name, pair in context.pairs.items()}
    of_target = {name: f"pair {name}" for name in context.pairs}
    left = [of_source.get(unit.name, keys[unit.name, 0]) for unit in source]
    right = [of_target.get(unit.name, keys[unit.name, 1]) for unit in target]
    return left, right


def _unpaired(context: Context, aligned: list[tuple[Unit, Unit]]) -> list[tuple[Unit, Unit]]:
    return [(ours, theirs) for ours, theirs in aligned if theirs.name not in context.pairs]


def _is_unordered(context: Context, source: Unit, target: Unit) -> bool:
    """A projection of Keras's attention.

    Three of one size, which Keras and other writers list in different orders.
    """
    graph = context.target.graph
    outer, _, own_name = target.layer.name.rpartition("/")
    if outer not in graph.by_name or graph.by_name[outer].op != "Attention":
        return False
    is_other_writer = context.source.graph.framework != graph.framework
    return own_name in PROJECTIONS and not source.function and is_other_writer


def _keys(source: list[Unit], target: list[Unit]) -> dict[tuple[str, int], str]:
    """(name, side) -> key.

    With the number of outputs in families in which all units of both sides tell it.
    """
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


def _pair(source: Unit, target: Unit, n_source: int, n_target: int, is_sure: bool) -> LayerPair:
    """n_source, n_target: how many units of this key each side has."""
    if n_source != n_target:
        return LayerPair(source.name, target.name, DOUBTFUL, ("order", "shape", "one-sided"))
    confidence = IN_ORDER if is_sure or n_source == 1 else SYMMETRIC
    return LayerPair(source.name, target.name, confidence, ("order", "shape"))
