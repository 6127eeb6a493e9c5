"""Which leaves of two blocks correspond: one to one, by function, size and names.

How sure a pair is follows from what else would fit.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.matching.confidence import BY_WORDS, DOUBTFUL, MISLEADING, ONLY_FIT, SAME_FUNCTION
from weightbridge.matching.uses.blocks import Words
from weightbridge.matching.uses.counting import in_step
from weightbridge.matching.uses.leaf_groups import Group, groups_of
from weightbridge.matching.uses.leaf_uses import GENERIC, SWAPPED, Use
from weightbridge.matching.uses.norm_layers import layers_by_flow, support_of_layers
from weightbridge.matching.uses.variants import told_apart
from weightbridge.matching.uses.weights import WEIGHTS

MOST = 25  # runners-up of one leaf


@dataclass(frozen=True, slots=True)
class LeafPair:
    """Places of a source and a target leaf in their blocks, and the source leaves that fit as well."""

    source: int
    target: int
    confidence: float
    evidence: tuple[str, ...]
    runners_up: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Choice:
    """A source leaf (a row of its group) for a target leaf (a column), and what would fit as well.

    rivals: other rows that fit the column; spare: other columns that the row fits.
    """

    group: Group
    source: Sequence[Use]
    target: Sequence[Use]
    row: int
    column: int
    rivals: tuple[int, ...]
    spare: tuple[int, ...]

    def at_row(self, row: int) -> Use:
        return self.source[int(self.group.rows[row])]

    def at_column(self, column: int) -> Use:
        return self.target[int(self.group.columns[column])]

    def functions(self) -> tuple[str, str]:
        return self.at_row(self.row).function, self.at_column(self.column).function


def paired_leaves(source: Sequence[Use], target: Sequence[Use]) -> tuple[LeafPair, ...]:
    """The best assignment of leaves of equal size and kind, in target order."""
    if not source or not target:
        return ()
    flows = layers_by_flow(source), layers_by_flow(target)
    source, target = told_apart(*in_step(source, target))
    groups = groups_of(source, target)
    place_of_target: dict[int, tuple[Group, int]] = {}
    for group in groups:
        place_of_target |= {int(target_place): (group, j) for j, target_place in enumerate(group.columns)}
    for (source_norm, target_norm), bonus in support_of_layers(source, target, flows, groups).items():
        if target_norm in place_of_target:
            group, column = place_of_target[target_norm]
            group.scores[group.rows == source_norm, column] += bonus
    pairs = [_judged(choice) for group in groups for choice in _choices(group, source, target)]
    return tuple(sorted(pairs, key=lambda pair: pair.target))


def _choices(group: Group, source: Sequence[Use], target: Sequence[Use]) -> Iterator[_Choice]:
    """The pairs of the best assignment inside a group; what its function has paired rivals no other."""
    chosen = group.chosen()
    told = {(row, column) for column, row in chosen.items() if _is_told(group, source, target, row, column)}
    rows, columns = frozenset(row for row, _ in told), frozenset(column for _, column in told)
    for column, row in chosen.items():
        is_told = (row, column) in told
        rivals = _others(group.fits[:, column], row, frozenset() if is_told else rows)
        spare = _others(group.fits[row], column, frozenset() if is_told else columns)
        yield _Choice(group, source, target, row, column, rivals, spare)


def _others(fits: np.ndarray, own: int, told: frozenset[int]) -> tuple[int, ...]:
    return tuple(int(k) for k in np.flatnonzero(fits) if k != own and k not in told)


def _is_told(group: Group, source: Sequence[Use], target: Sequence[Use], row: int, column: int) -> bool:
    """Whether both are of one function."""
    given, wanted = source[int(group.rows[row])], target[int(group.columns[column])]
    return bool(given.function) and given.function == wanted.function


def _judged(choice: _Choice) -> LeafPair:
    """The pair, with how sure it is by its functions, and where these do not tell, by its words."""
    given, wanted = choice.functions()
    if given != wanted or not given:
        confidence, *words = _without_function(choice)
        return _leaf_pair(choice, confidence, "shape", *words)
    alike = _of_same_function(choice)
    if alike.rivals or alike.spare:
        confidence, words_evidence = _by_words(alike)
        return _leaf_pair(alike, confidence, "shape", "name", words_evidence)
    swapped = tuple(k for k in choice.rivals if {choice.at_row(k).function, given} == SWAPPED)
    confidence = MISLEADING if swapped else SAME_FUNCTION
    return _leaf_pair(replace(choice, rivals=swapped), confidence, "shape", "name")


def _leaf_pair(choice: _Choice, confidence: float, *evidence: str) -> LeafPair:
    rows, columns = choice.group.rows, choice.group.columns
    runners_up = tuple(int(rows[k]) for k in _nearest(choice.rivals, choice.row))
    return LeafPair(int(rows[choice.row]), int(columns[choice.column]), confidence, evidence, runners_up)


def _nearest(rivals: Sequence[int], row: int) -> list[int]:
    """Those that are listed next to it, no more than a question has letters for."""
    return sorted(sorted(rivals, key=lambda k: abs(k - row))[:MOST])


def _of_same_function(choice: _Choice) -> _Choice:
    """With those alone that fit as well and have the same function."""
    function, _ = choice.functions()
    rivals = tuple(k for k in choice.rivals if choice.at_row(k).function == function)
    spare = tuple(k for k in choice.spare if choice.at_column(k).function == function)
    return replace(choice, rivals=rivals, spare=spare)


def _without_function(choice: _Choice) -> tuple[float, *tuple[str, ...]]:
    """The confidence, and the evidence of words, of a pair whose functions differ or are not known."""
    given, wanted = choice.functions()
    if given and wanted:
        return (DOUBTFUL,)
    if choice.rivals or choice.spare:
        return _by_words(choice)
    return (BY_WORDS,) if given or wanted else (ONLY_FIT,)


def _by_words(choice: _Choice) -> tuple[float, str]:
    """Sure where the names are one; less where they lead by a margin; doubtful where the order decides."""
    if _has_own_name(choice):
        return SAME_FUNCTION, "words"
    scores = choice.group.scores
    of_rivals = scores[list(choice.rivals), choice.column]
    of_spare = scores[choice.row, list(choice.spare)]
    lead = scores[choice.row, choice.column] - np.concatenate((of_rivals, of_spare)).max()
    return (BY_WORDS, "words") if lead >= WEIGHTS.margin else (DOUBTFUL, "order")


def _has_own_name(choice: _Choice) -> bool:
    """Whether both are spelled alike, and nothing else that fits is."""
    name = spelled(choice.at_row(choice.row))
    if name != spelled(choice.at_column(choice.column)) or not any(map(str.isalpha, name)):
        return False
    is_shared = any(spelled(choice.at_row(k)) == name for k in choice.rivals)
    return not is_shared and not any(spelled(choice.at_column(k)) == name for k in choice.spare)


def spelled(use: Use) -> str:
    return _letters(use.leaf.words)


@lru_cache(maxsize=1 << 16)
def _letters(path: Words) -> str:
    """The telling words as one spelling, numbers apart: `base_net.1.4` and `basenet.1.4_bn` are one name."""
    return re.sub(r"(?<=[a-z]) (?=[a-z])", "", " ".join(w for w in path if w not in GENERIC))
