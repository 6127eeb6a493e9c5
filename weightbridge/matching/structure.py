"""Structure: units whose surroundings are the same on both sides, above, below or both, with widths and without."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import TypeVar

from weightbridge.matching.context import ONE_SIDED, STRUCTURE, SYMMETRIC, TOLD, Context, is_compatible, key
from weightbridge.matching.signatures import Label, Signatures, signatures, with_widths, without_widths
from weightbridge.matching.twins import same_functions
from weightbridge.matching.units import Reduced, without
from weightbridge.matching.values import LayerPair

K = TypeVar("K")


def by_structure(context: Context) -> tuple[LayerPair, ...]:
    """Pairs by signature: whole surroundings first, then one side of them; normalisations bridged over where one side has folded them."""
    if not context.has_flow:
        return ()
    found: list[LayerPair] = []
    for view, label in product((_whole, _bridged), (with_widths, without_widths)):
        if context.is_complete:
            break
        new = _signed(view(context.source), view(context.target), label)
        context = context.with_pairs(new)
        found += new
    return tuple(found)


def isomorphism(source: Reduced, target: Reduced) -> dict[str, str] | None:
    """target -> source where every unit with weights has exactly one counterpart with the same surroundings, else None."""
    of_source, of_target = signatures(source, target, with_widths)
    left, right = _classes(source, of_source), _classes(target, of_target)
    if {k: len(v) for k, v in left.items()} != {k: len(v) for k, v in right.items()}:
        return None
    return {t: s for k, names in right.items() for s, t in zip(left[k], names, strict=True) if target.by_name[t].has_weights}


def _whole(reduced: Reduced) -> Reduced:
    return reduced


def _bridged(reduced: Reduced) -> Reduced:
    return without(reduced, "Norm")


def _classes(reduced: Reduced, sign: Signatures) -> dict[tuple[int, int], list[str]]:
    return _grouped((u.name, (sign.up[u.name], sign.down[u.name])) for u in reduced.units)


def _grouped(items: Iterable[tuple[str, K]]) -> dict[K, list[str]]:
    found: dict[K, list[str]] = {}
    for name, value in items:
        found.setdefault(value, []).append(name)
    return found


def _signed(source: Reduced, target: Reduced, label: Label) -> list[LayerPair]:
    """The pairs that one kind of signature shows."""
    a, b = signatures(source, target, label)
    return [*_both_sides(source, target, a, b), *_one_side(source, target, a, b)]


def _both_sides(source: Reduced, target: Reduced, a: Signatures, b: Signatures) -> Iterator[LayerPair]:
    left = _classes(source, a)
    for k, names in _classes(target, b).items():
        others = left.get(k, [])
        if len(others) != len(names):
            continue
        pairs, is_told = same_functions(source, others, target, names) if len(names) > 1 else ([(others[0], names[0])], False)
        for s, t in pairs:
            if not is_compatible(source.by_name[s], target.by_name[t]):
                continue
            same = key(source.by_name[s]) == key(target.by_name[t])
            sure = (STRUCTURE if same else ONE_SIDED) if len(names) == 1 else SYMMETRIC
            evidence = ("structure", "shape") if same else ("structure",)
            told = () if len(names) == 1 else ("function",) if is_told else ("order",)
            yield LayerPair(s, t, TOLD if is_told else sure, (*evidence, *told), tuple(o for o in others if o != s))


def _one_side(source: Reduced, target: Reduced, a: Signatures, b: Signatures) -> Iterator[LayerPair]:
    """Equal above or equal below, where the two do not contradict each other; only where the shapes fit."""
    above, below = _partners(a.up, b.up), _partners(a.down, b.down)
    for unit in target.units:
        partners = {side[unit.name] for side in (above, below) if unit.name in side}
        if len(partners) != 1:
            continue
        (other,) = partners
        if key(source.by_name[other]) == key(unit) and is_compatible(source.by_name[other], unit):
            yield LayerPair(other, unit.name, ONE_SIDED, ("structure", "shape", "one-sided"))


def _partners(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, str]:
    """target -> source where a signature occurs once on each side."""
    a, b = (_grouped(side.items()) for side in (left, right))
    return {names[0]: a[k][0] for k, names in b.items() if len(names) == 1 and len(a.get(k, ())) == 1}
