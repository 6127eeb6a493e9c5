"""Leaves that fit each other, in groups: queries and keys of one size are a group, the norms another.

What fits is judged kind by kind, for leaves are many and their kinds are few.
"""

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.matching.sequences.assignment import assignment
from weightbridge.matching.uses.kinds import kinds_of, table_of
from weightbridge.matching.uses.leaf_scores import scores_of
from weightbridge.matching.uses.leaf_uses import SWAPPED, Use
from weightbridge.matching.uses.leaves import Leaf
from weightbridge.matching.uses.ranks import ranks_of
from weightbridge.matching.uses.weights import WEIGHTS
from weightbridge.model.vocabulary import RECURRENT

BACKWARD = frozenset({"backward", "reverse"})
Places = np.ndarray


@dataclass(frozen=True, slots=True)
class Group:
    """Leaves that fit some of each other and none outside.

    rows, columns: their places among the source's and the target's leaves, rising.
    fits, scores: for each row and column.
    """

    rows: Places
    columns: Places
    fits: np.ndarray
    scores: np.ndarray

    def chosen(self) -> dict[int, int]:
        """Column -> row of the assignment with the highest scores; any pair counts more than none."""
        values = np.where(self.fits, self.scores + WEIGHTS.any_pair, 0.0)
        rows, columns = assignment(values)
        return {int(j): int(i) for i, j in zip(rows, columns, strict=True) if self.fits[i, j]}


def groups_of(source: Sequence[Use], target: Sequence[Use]) -> tuple[Group, ...]:
    """All leaves that fit another one of equal size and kind, with the scores of these pairs."""
    source_kinds, source_examples = kinds_of(source, _kind_of_fit)
    target_kinds, target_examples = kinds_of(target, _kind_of_fit)
    fits = table_of(_do_fit, source_examples, target_examples).astype(bool)
    source_ranks, target_ranks = (np.array(ranks, float) for ranks in ranks_of(source, target))
    groups = []
    for has_source_kind, has_target_kind in _components(fits):
        rows = np.flatnonzero(has_source_kind[source_kinds])
        columns = np.flatnonzero(has_target_kind[target_kinds])
        apart = np.abs(np.subtract.outer(source_ranks[rows], target_ranks[columns]))
        scores = scores_of([source[int(i)] for i in rows], [target[int(j)] for j in columns])
        own_fits = fits[np.ix_(source_kinds[rows], target_kinds[columns])]
        groups.append(Group(rows, columns, own_fits, scores + WEIGHTS.off_rank * apart))
    return tuple(groups)


def _components(fits: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Masks of the rows and of the columns that hang together, by the first row."""
    left = fits.any(axis=1)
    while left.any():
        rows = np.arange(len(fits)) == int(left.argmax())
        while True:
            columns = fits[rows].any(axis=0)
            wider = fits[:, columns].any(axis=1)
            if (wider == rows).all():
                break
            rows = wider
        yield rows, columns
        left &= ~rows


def _kind_of_fit(use: Use) -> Hashable:
    """All of a leaf that `_do_fit` looks at."""
    leaf = use.leaf
    direction = _is_backward(leaf) if leaf.layer.op in RECURRENT else None
    return use.function, leaf.size, leaf.kind, leaf.flow, direction


def _do_fit(source: Use, target: Use) -> bool:
    """The same number of weights in the main tensor, and the same kind; a kernel of one tap is a matrix."""
    functions = {source.function, target.function}
    if source.leaf.size != target.leaf.size and functions != {"position_embedding"}:
        return False
    if not _are_kinds_alike(source, target) or not _may_be_one(source.function, target.function):
        return False
    flows = source.leaf.flow, target.leaf.flow
    runs_alike = None in flows or flows[0] == flows[1]
    return runs_alike and _has_one_direction(source.leaf, target.leaf)


def _are_kinds_alike(source: Use, target: Use) -> bool:
    kinds = {source.leaf.kind, target.leaf.kind}
    if kinds == {"matrix", "vector"}:
        return source.function == target.function != ""
    return len(kinds) == 1 or kinds == {"norm", "vector"}


def _may_be_one(a: str, b: str) -> bool:
    """Whether two functions may be one: norms have many names, gates and ups are swapped."""
    if not a or not b or a == b:
        return True
    return {a, b} == SWAPPED or (a.startswith("norm_") and b.startswith("norm_"))


def _has_one_direction(source: Leaf, target: Leaf) -> bool:
    """Whether two recurrent layers run in one direction, which their names or attributes tell."""
    if not {source.layer.op, target.layer.op} <= RECURRENT:
        return True
    return _is_backward(source) == _is_backward(target)


def _is_backward(leaf: Leaf) -> bool:
    return bool(leaf.layer.attributes.get("go_backwards")) or not BACKWARD.isdisjoint(leaf.words)
