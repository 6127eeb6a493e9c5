"""How well each leaf of one block would do for each leaf of the other: kind by kind, for leaves are many and
their kinds are few.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.sequences.assignment import assignment
from weightbridge.matching.uses.block_pairs import branches_of, is_elsewhere
from weightbridge.matching.uses.blocks import Words
from weightbridge.matching.uses.leaf_uses import GENERIC, SWAPPED, Use
from weightbridge.matching.uses.leaves import Leaf
from weightbridge.matching.uses.ranks import ranks_of
from weightbridge.matching.uses.weights import WEIGHTS
from weightbridge.model.vocabulary import RECURRENT

BACKWARD = frozenset({"backward", "reverse"})
PLACES = {  # the order in which they are declared, where names are mere numbers
    "gate": 0, "up": 1, "down": 2, "query": 0, "key": 1, "value": 2, "attention_output": 3, "class_token": 0, "distillation_token": 1,
    "state_step_bias": 0, "state_decay": 1,
}  # fmt: skip
DECLARED = {
    "scale": 0,
    "gamma": 0,
    "weight": 0,
    "bias": 1,
    "beta": 1,
    "shift": 1,
}  # the same, of vectors that no rule knows

Places = np.ndarray
Value = Callable[[Use, Use], float]


@dataclass(frozen=True, slots=True)
class Group:
    """Leaves that fit some of each other and none outside.

    rows, columns: their places among the source's and the target's leaves, rising. fits, scores: for each row
    and column.
    """

    rows: Places
    columns: Places
    fits: np.ndarray
    scores: np.ndarray

    def chosen(self) -> dict[int, int]:
        """Column -> row of the assignment with the highest scores."""
        rows, columns = assignment(np.where(self.fits, self.scores + WEIGHTS.any_pair, 0.0))
        return {int(j): int(i) for i, j in zip(rows, columns, strict=True) if self.fits[i, j]}


def groups_of(source: Sequence[Use], target: Sequence[Use]) -> tuple[Group, ...]:
    """All leaves that fit another one of equal size and kind, with the scores of these pairs."""
    ranks = [np.array(side, float) for side in ranks_of(source, target)]
    (ours, ones), (theirs, others) = (_kinds(roles, _what_fits) for roles in (source, target))
    table = np.array([[_fits(s, t) for t in others] for s in ones], bool)
    return tuple(
        _group(
            source,
            target,
            ranks,
            np.flatnonzero(a[ours]),
            np.flatnonzero(b[theirs]),
            table[np.ix_(ours, theirs)],
        )
        for a, b in _components(table)
    )


def _group(
    source: Sequence[Use],
    target: Sequence[Use],
    ranks: Sequence[np.ndarray],
    rows: Places,
    columns: Places,
    fits: np.ndarray,
) -> Group:
    sides = [source[i] for i in rows], [target[j] for j in columns]
    apart = np.abs(np.subtract.outer(ranks[0][rows], ranks[1][columns]))
    return Group(rows, columns, fits[np.ix_(rows, columns)], _scores(*sides) + WEIGHTS.off_rank * apart)


def _components(table: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Masks of the rows and of the columns that hang together."""
    left = table.any(axis=1)
    while left.any():
        rows = np.arange(len(table)) == int(left.argmax())
        while True:
            columns = table[rows].any(axis=0)
            wider = table[:, columns].any(axis=1)
            if (wider == rows).all():
                break
            rows = wider
        yield rows, columns
        left &= ~rows


def _kinds(roles: Iterable[Use], key: Callable[[Use], Hashable]) -> tuple[np.ndarray, list[Use]]:
    """Per role the number of its kind, and the first of each kind."""
    numbers: dict[Hashable, int] = {}
    first: list[Use] = []
    found = []
    for role in roles:
        number = numbers.setdefault(key(role), len(numbers))
        if number == len(first):
            first.append(role)
        found.append(number)
    return np.array(found, int), first


def _spread(
    value: Value, source: Sequence[Use], target: Sequence[Use], key: Callable[[Use], Hashable]
) -> np.ndarray:
    """The value for every pair, worked out once for each two kinds."""
    (ours, ones), (theirs, others) = (_kinds(roles, key) for roles in (source, target))
    found: np.ndarray = np.array([[value(s, t) for t in others] for s in ones], float)[np.ix_(ours, theirs)]
    return found


def _what_fits(role: Use) -> Hashable:
    leaf = role.leaf
    way = _is_backward(leaf) if leaf.layer.op in RECURRENT else None
    return role.function, leaf.size, leaf.kind, leaf.flow, way


def _fits(source: Use, target: Use) -> bool:
    """The same number of weights in the main tensor, and the same kind; a kernel of one tap is a matrix."""
    a, b = source.function, target.function
    same = source.leaf.size == target.leaf.size or {a, b} == {"position_embedding"}
    kinds = {source.leaf.kind, target.leaf.kind}
    alike_kinds = (
        len(kinds) == 1 or kinds == {"norm", "vector"} or (kinds == {"matrix", "vector"} and a == b != "")
    )
    return (
        same
        and alike_kinds
        and _is_thinkable(a, b)
        and _run_alike(source.leaf.flow, target.leaf.flow)
        and _one_way(source, target)
    )


def _is_thinkable(a: str, b: str) -> bool:
    """Whether two functions may be one under another name: norms are named in many ways, gates and ups are
    swapped.
    """
    return not a or not b or a == b or {a, b} == SWAPPED or (a.startswith("norm_") and b.startswith("norm_"))


def _one_way(source: Use, target: Use) -> bool:
    """Whether two recurrent layers run in one direction, which their names or attributes tell."""
    if not {source.leaf.layer.op, target.leaf.layer.op} <= RECURRENT:
        return True
    return _is_backward(source.leaf) == _is_backward(target.leaf)


def _is_backward(leaf: Leaf) -> bool:
    return bool(leaf.layer.attributes.get("go_backwards")) or not BACKWARD.isdisjoint(leaf.words)


def _run_alike(a: tuple[int, int] | None, b: tuple[int, int] | None) -> bool:
    return a is None or b is None or a == b


def _scores(source: Sequence[Use], target: Sequence[Use]) -> np.ndarray:
    """For every pair, but for their ranks."""
    found: np.ndarray = (
        _spread(_by_function, source, target, lambda role: (role.function, _is_unnamed(role)))
        + _words_in_common(source, target)
        + _spread(_by_kind, source, target, lambda role: (len(role.leaf.tensors), role.leaf.kind))
        + _spread(_beside_same, source, target, lambda role: role.towers)
        + WEIGHTS.off_place * _misplaced(source, target)
    )
    return found


def _by_function(source: Use, target: Use) -> float:
    a, b = source.function, target.function
    if a and b:
        return WEIGHTS.same_function if a == b else WEIGHTS.other_function
    other = target if a else source
    return (
        0.0 if not (a or b) else WEIGHTS.only_one_function if _is_unnamed(other) else WEIGHTS.untold_function
    )


def _is_unnamed(role: Use) -> bool:
    """Whether its name says nothing; one that does says something that no rule knows."""
    return is_automatic(role.leaf.name) or not any(map(str.isalpha, role.inner))


def _by_kind(source: Use, target: Use) -> float:
    alike = source.leaf.kind == target.leaf.kind
    return (WEIGHTS.as_many_tensors if len(source.leaf.tensors) == len(target.leaf.tensors) else 0.0) + (
        WEIGHTS.same_kind if alike else 0.0
    )


def _beside_same(source: Use, target: Use) -> float:
    """Whether the two stand beside the same run of blocks."""
    if not source.towers or not target.towers:
        return 0.0
    return WEIGHTS.same_tower if source.towers & target.towers else WEIGHTS.other_tower


def _words_in_common(source: Sequence[Use], target: Sequence[Use]) -> np.ndarray:
    found = np.zeros((len(source), len(target)))
    placed = [np.array([_usual_place(role) is not None for role in roles]) for roles in (source, target)]
    for ours, theirs in product((False, True), repeat=2):
        rows, columns = np.flatnonzero(placed[0] == ours), np.flatnonzero(placed[1] == theirs)
        if rows.size and columns.size:
            names = (
                [_telling(source[int(i)], theirs) for i in rows],
                [_telling(target[int(j)], ours) for j in columns],
            )
            found[np.ix_(rows, columns)] = alike(*names)
    return found


def _telling(role: Use, beside_placed: bool) -> Words:
    """Without a number that is all the name there is (`experts/0`), where the other side says what it is for;
    without a framework's
    counter (`dense_3`)."""
    is_counter = (
        role.leaf.unit.layer.op != "Opaque"
        and is_automatic(role.leaf.name)
        and not role.leaf.words[0].isdigit()
    )
    if _is_mere_number(role) and beside_placed:
        return role.inner[:-1]
    return tuple(w for w in role.inner if not w.isdigit()) if is_counter else role.inner


def alike(left: Sequence[Words], right: Sequence[Words]) -> np.ndarray:
    """For every pair, the share of telling words and numbers in common, minus a penalty for another branch."""
    sides = [
        [frozenset(w for w in words if w not in GENERIC and w != "w") for words in side]
        for side in (left, right)
    ]
    known = {w: n for n, w in enumerate(frozenset().union(*sides[0]) & frozenset().union(*sides[1]))}
    ours, theirs = (_incidence(side, known) for side in sides)
    sizes = [np.array([len(words) for words in side], float) for side in sides]
    shared = ours @ theirs.T
    found: np.ndarray = WEIGHTS.shared_words * shared / np.maximum(np.add.outer(*sizes) - shared, 1)
    branches = [[branches_of(words) for words in side] for side in (left, right)]
    if any(branches[0]) and any(branches[1]):
        found += WEIGHTS.other_branch * np.array(
            [[is_elsewhere(a, b) for b in branches[1]] for a in branches[0]], float
        )
    return found


def _incidence(side: Sequence[frozenset[str]], known: dict[str, int]) -> np.ndarray:
    found = np.zeros((len(side), len(known)))
    for i, words in enumerate(side):
        found[i, [known[w] for w in words if w in known]] = 1.0
    return found


def _misplaced(source: Sequence[Use], target: Sequence[Use]) -> np.ndarray:
    """How far (squared) a number that is all the name there is stands from the usual place of a function."""
    places = [np.array([_or_nan(_usual_place(role)) for role in roles]) for roles in (source, target)]
    numbers = [
        np.array([_or_nan(int(r.inner[-1]) if _is_mere_number(r) else None) for r in roles])
        for roles in (source, target)
    ]
    ours, theirs = (
        np.subtract.outer(places[0], numbers[1]) ** 2,
        np.subtract.outer(numbers[0], places[1]) ** 2,
    )
    found: np.ndarray = np.nan_to_num(np.where(np.isnan(ours), theirs, ours))
    return found


def _or_nan(number: int | None) -> float:
    return float("nan") if number is None else float(number)


def _usual_place(role: Use) -> int | None:
    if role.function or role.leaf.kind != "vector":
        return PLACES.get(role.function)
    return DECLARED.get(role.leaf.words[-1])


def _is_mere_number(role: Use) -> bool:
    return bool(role.inner) and role.inner[-1].isdigit() and not role.function
