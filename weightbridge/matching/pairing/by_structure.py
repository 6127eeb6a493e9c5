"""Structure: units whose surroundings are the same on both sides, above, below or both, with widths and
without.
"""

from collections.abc import Container, Iterator, Mapping, Sequence

from weightbridge.matching.confidence import ONE_SIDED, SAME_ATTRIBUTES, SAME_SURROUNDINGS, SYMMETRIC
from weightbridge.matching.context import Context, is_compatible, key
from weightbridge.matching.pairing.norm_placement import is_placed_alike
from weightbridge.matching.pairing.same_functions import same_functions
from weightbridge.matching.pairing.signatures import (
    Label,
    Signatures,
    signatures,
    with_widths,
    without_widths,
)
from weightbridge.matching.units.units import Reduced, without
from weightbridge.matching.values import LayerPair

NOWHERE = -1


def by_structure(context: Context) -> tuple[LayerPair, ...]:
    """Pairs by signature: whole surroundings first, then one side of them.

    Normalisations bridged over where one side has folded them.
    """
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
    """target -> source where every unit with weights has exactly one counterpart with the same surroundings,
    else None.
    """
    if len(source.units) != len(target.units):
        return None
    of_source, of_target = signatures(source, target, with_widths)
    right = _classes(of_target)
    left = _classes(of_source, right)
    if any(len(places) != len(left.get(k, ())) for k, places in right.items()):
        return None
    pairs = (
        (source.units[i], target.units[j])
        for k, places in right.items()
        for i, j in zip(left[k], places, strict=True)
    )
    return {t.name: s.name for s, t in pairs if t.has_weights}


def _whole(reduced: Reduced) -> Reduced:
    return reduced


def _bridged(reduced: Reduced) -> Reduced:
    return without(reduced, "Norm")


def _classes(
    sign: Signatures, wanted: Container[tuple[int, int]] | None = None
) -> Mapping[tuple[int, int], Sequence[int]]:
    """The places of the units of one signature (above, below); of those wanted alone."""
    found: dict[tuple[int, int], list[int]] = {}
    for place, k in enumerate(zip(sign.up, sign.down, strict=True)):
        if wanted is None or k in wanted:
            found.setdefault(k, []).append(place)
    return found


def _signed(source: Reduced, target: Reduced, label: Label, context: Context) -> list[LayerPair]:
    """The pairs that one kind of signature shows, of units that have none yet."""
    a, b = signatures(source, target, label)
    unpaired = [place for place, unit in enumerate(target.units) if unit.name not in context.pairs]
    found = (*_both_sides(source, target, a, b, unpaired), *_one_side(source, target, a, b, unpaired))
    return [
        p
        for p in found
        if "one-sided" not in p.evidence or is_placed_alike(source, p.source, target, p.target)
    ]


def _both_sides(
    source: Reduced, target: Reduced, a: Signatures, b: Signatures, unpaired: Sequence[int]
) -> Iterator[LayerPair]:
    """Equal above and below: as many units of one signature on both sides."""
    target_classes = _classes(b, {(b.up[place], b.down[place]) for place in unpaired})
    source_classes = _classes(a, target_classes)
    for signature, places in target_classes.items():
        source_places = source_classes.get(signature, ())
        if len(source_places) == len(places):
            source_names = [source.units[i].name for i in source_places]
            yield from _of_one_class(source, source_names, target, [target.units[i].name for i in places])


def _of_one_class(
    source: Reduced, source_names: Sequence[str], target: Reduced, target_names: Sequence[str]
) -> Iterator[LayerPair]:
    """Units whose surroundings are the same, in order or told apart by their functions."""
    if len(target_names) == 1:
        pairs, are_told_apart = [(source_names[0], target_names[0])], False
    else:
        pairs, are_told_apart = same_functions(source, source_names, target, target_names)
    for source_name, target_name in pairs:
        one, other = source.by_name[source_name], target.by_name[target_name]
        if is_compatible(one, other):
            decided_by = _decided_by(len(target_names), are_told_apart)
            confidence, evidence = _judged(key(one) == key(other), decided_by)
            rivals = tuple(name for name in source_names if name != source_name)
            yield LayerPair(source_name, target_name, confidence, evidence, rivals)


def _decided_by(class_size: int, are_told_apart: bool) -> str:
    """What chose among units of the same surroundings; "" for the only one."""
    if are_told_apart:
        return "function"
    return "order" if class_size > 1 else ""


def _judged(is_same_key: bool, decided_by: str) -> tuple[float, tuple[str, ...]]:
    evidence = ("structure", "shape") if is_same_key else ("structure",)
    if decided_by == "function":
        return SAME_ATTRIBUTES, (*evidence, decided_by)
    if decided_by == "order":
        return SYMMETRIC, (*evidence, decided_by)
    return SAME_SURROUNDINGS if is_same_key else ONE_SIDED, evidence


def _one_side(
    source: Reduced, target: Reduced, a: Signatures, b: Signatures, unpaired: Sequence[int]
) -> Iterator[LayerPair]:
    """Equal above or equal below, where the two do not contradict each other; only where the shapes fit."""
    above, below = _partners(a.up, b.up), _partners(a.down, b.down)
    for place in unpaired:
        partners = {above[place], below[place]} - {NOWHERE}
        if len(partners) != 1:
            continue
        one, unit = source.units[partners.pop()], target.units[place]
        if key(one) == key(unit) and is_compatible(one, unit):
            yield LayerPair(one.name, unit.name, ONE_SIDED, ("structure", "shape", "one-sided"))


def _partners(source: Sequence[int], target: Sequence[int]) -> Sequence[int]:
    """Per place in the target, that of the same signature in the source where each side has it once, else
    NOWHERE.
    """
    size = max((*source, *target), default=0) + 1
    of_source, of_target = _once(source, size), _once(target, size)
    return [NOWHERE if of_target[sign] == NOWHERE else of_source[sign] for sign in target]


def _once(signs: Sequence[int], size: int) -> Sequence[int]:
    """Per signature, the only place that has it, else NOWHERE."""
    found, seen = [NOWHERE] * size, bytearray(size)
    for place, sign in enumerate(signs):
        found[sign] = NOWHERE if seen[sign] else place
        seen[sign] = 1
    return found
