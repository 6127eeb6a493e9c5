"""Structure: units whose surroundings are the same on both sides, above, below or both, with widths and without."""

from collections.abc import Container, Iterable, Iterator, Sequence
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
    for view in (_whole, _bridged):
        if context.is_complete:
            break
        source, target = view(context.source), view(context.target)
        for label in (with_widths, without_widths):
            new = _signed(source, target, label, context)
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
    return _grouped(zip((u.name for u in reduced.units), zip(sign.up, sign.down, strict=True), strict=True))


def _grouped(items: Iterable[tuple[str, K]]) -> dict[K, list[str]]:
    found: dict[K, list[str]] = {}
    for name, value in items:
        found.setdefault(value, []).append(name)
    return found


def _signed(source: Reduced, target: Reduced, label: Label, context: Context) -> list[LayerPair]:
    """The pairs that one kind of signature shows, of units that have none yet."""
    a, b = signatures(source, target, label)
    return [*_both_sides(source, target, a, b, context.pairs), *_one_side(source, target, a, b, context.pairs)]


def _both_sides(source: Reduced, target: Reduced, a: Signatures, b: Signatures, done: Container[str]) -> Iterator[LayerPair]:
    left = _classes(source, a)
    for k, names in _classes(target, b).items():
        others = left.get(k, [])
        if len(others) != len(names) or all(name in done for name in names):
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


def _one_side(source: Reduced, target: Reduced, a: Signatures, b: Signatures, done: Container[str]) -> Iterator[LayerPair]:
    """Equal above or equal below, where the two do not contradict each other; only where the shapes fit."""
    names = [u.name for u in source.units], [u.name for u in target.units]
    above, below = _partners(names, (a.up, b.up)), _partners(names, (a.down, b.down))
    for unit in target.units:
        if unit.name in done:
            continue
        partners = {side[unit.name] for side in (above, below) if unit.name in side}
        if len(partners) != 1:
            continue
        (other,) = partners
        if key(source.by_name[other]) == key(unit) and is_compatible(source.by_name[other], unit):
            yield LayerPair(other, unit.name, ONE_SIDED, ("structure", "shape", "one-sided"))


def _partners(names: tuple[Sequence[str], Sequence[str]], signs: tuple[Sequence[int], Sequence[int]]) -> dict[str, str]:
    """target -> source where a signature occurs once on each side."""
    a, b = (_grouped(zip(own, sign, strict=True)) for own, sign in zip(names, signs, strict=True))
    return {names[0]: a[k][0] for k, names in b.items() if len(names) == 1 and len(a.get(k, ())) == 1}
