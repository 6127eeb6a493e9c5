"""Blocks of over a thousand leaves on each side: by equal names, then by order, pairs unscored."""

from collections.abc import Sequence

from weightbridge.matching.confidence import DOUBTFUL, ONLY_FIT, SAME_FUNCTION
from weightbridge.matching.uses.leaf_pairs import LeafPair, spelled
from weightbridge.matching.uses.leaf_uses import Use

MOST = 1 << 20  # pairs that are scored
Places = tuple[list[int], list[int]]  # of the source and of the target


def is_large(source: Sequence[Use], target: Sequence[Use]) -> bool:
    return len(source) * len(target) > MOST


def paired_in_order(source: Sequence[Use], target: Sequence[Use]) -> tuple[LeafPair, ...]:
    """Leaves of one shape and kind: those with one name, then the others as they stand; in target order."""
    alike: dict[object, Places] = {}
    for i, use in enumerate(source):
        alike.setdefault(_sign(use), ([], []))[0].append(i)
    for j, use in enumerate(target):
        if _sign(use) in alike:
            alike[_sign(use)][1].append(j)
    pairs = [pair for places in alike.values() for pair in _paired(places, source, target)]
    return tuple(sorted(pairs, key=lambda pair: pair.target))


def _sign(use: Use) -> tuple[object, ...]:
    return use.leaf.kind, use.leaf.size, tuple(sorted(use.leaf.main.shape)), use.function


def _paired(places: Places, source: Sequence[Use], target: Sequence[Use]) -> list[LeafPair]:
    rows, columns = places
    if len(rows) == len(columns) == 1:
        return [LeafPair(rows[0], columns[0], ONLY_FIT, ("shape",))]
    pairs = _by_name(places, source, target)
    taken = {pair.source for pair in pairs}, {pair.target for pair in pairs}
    left = [i for i in rows if i not in taken[0]]
    open_columns = [j for j in columns if j not in taken[1]]
    for n, (i, j) in enumerate(zip(left, open_columns, strict=False)):
        beside = left[n + 1 : n + 2] or left[max(n - 1, 0) : n]
        pairs.append(LeafPair(i, j, DOUBTFUL, ("shape", "order"), tuple(beside)))
    return pairs


def _by_name(places: Places, source: Sequence[Use], target: Sequence[Use]) -> list[LeafPair]:
    """Those whose name both sides have once."""
    rows = _once([(spelled(source[i]), i) for i in places[0]])
    columns = _once([(spelled(target[j]), j) for j in places[1]])
    shared = [name for name in rows if name in columns and any(map(str.isalpha, name))]
    return [LeafPair(rows[n], columns[n], SAME_FUNCTION, ("shape", "words")) for n in shared]


def _once(named: Sequence[tuple[str, int]]) -> dict[str, int]:
    places: dict[str, list[int]] = {}
    for name, place in named:
        places.setdefault(name, []).append(place)
    return {name: own[0] for name, own in places.items() if len(own) == 1}
