"""How well each leaf of one block would do for each leaf of the other, by all that their names say."""

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np

from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.uses.block_pairs import branches_of, is_elsewhere
from weightbridge.matching.uses.blocks import Words
from weightbridge.matching.uses.kinds import by_kind
from weightbridge.matching.uses.leaf_uses import GENERIC, Use
from weightbridge.matching.uses.weights import WEIGHTS

PLACES = {  # the order in which they are declared, where names are mere numbers
    "gate": 0, "up": 1, "down": 2, "query": 0, "key": 1, "value": 2, "attention_output": 3,
    "class_token": 0, "distillation_token": 1, "state_step_bias": 0, "state_decay": 1,
}  # fmt: skip
DECLARED = {
    "scale": 0,
    "gamma": 0,
    "weight": 0,
    "bias": 1,
    "beta": 1,
    "shift": 1,
}  # of vectors that no rule knows
SAYS_NOTHING = GENERIC | {"w"}


def scores_of(source: Sequence[Use], target: Sequence[Use]) -> np.ndarray:
    """The score of every pair (rows: source, columns: target), but for their ranks."""
    scores: np.ndarray = (
        by_kind(_function_score, source, target, lambda use: (use.function, _is_unnamed(use)))
        + _word_scores(source, target)
        + by_kind(_kind_score, source, target, lambda use: (len(use.leaf.tensors), use.leaf.kind))
        + by_kind(_tower_score, source, target, lambda use: use.towers)
        + WEIGHTS.off_place * _distances_from_place(source, target)
    )
    return scores


def _function_score(source: Use, target: Use) -> float:
    if source.function and target.function:
        is_same = source.function == target.function
        return WEIGHTS.same_function if is_same else WEIGHTS.other_function
    if not source.function and not target.function:
        return 0.0
    without_function = target if source.function else source
    return WEIGHTS.only_one_function if _is_unnamed(without_function) else WEIGHTS.untold_function


def _is_unnamed(use: Use) -> bool:
    """Whether its name says nothing; one that does says something that no rule knows."""
    return is_automatic(use.leaf.name) or not any(map(str.isalpha, use.inner))


def _kind_score(source: Use, target: Use) -> float:
    has_as_many = len(source.leaf.tensors) == len(target.leaf.tensors)
    score = WEIGHTS.as_many_tensors if has_as_many else 0.0
    return score + (WEIGHTS.same_kind if source.leaf.kind == target.leaf.kind else 0.0)


def _tower_score(source: Use, target: Use) -> float:
    """Whether the two stand beside the same run of blocks."""
    if not source.towers or not target.towers:
        return 0.0
    return WEIGHTS.same_tower if source.towers & target.towers else WEIGHTS.other_tower


def _word_scores(source: Sequence[Use], target: Sequence[Use]) -> np.ndarray:
    """By the words in common; what a name says depends on whether the other one's place is known."""
    scores = np.zeros((len(source), len(target)))
    source_placed = np.array([_usual_place(use) is not None for use in source], bool)
    target_placed = np.array([_usual_place(use) is not None for use in target], bool)
    for is_source_placed, is_target_placed in product((False, True), repeat=2):
        rows = np.flatnonzero(source_placed == is_source_placed)
        columns = np.flatnonzero(target_placed == is_target_placed)
        source_names = [_telling_name(source[int(i)], is_target_placed) for i in rows]
        target_names = [_telling_name(target[int(j)], is_source_placed) for j in columns]
        if source_names and target_names:
            scores[np.ix_(rows, columns)] = _name_scores(source_names, target_names)
    return scores


def _telling_name(use: Use, is_beside_placed: bool) -> Words:
    """The words of a name without numbers that say nothing.

    A number that is all the name there is (`experts/0`) goes where the other side says what it is for, a
    framework's counter (`dense_3`) always.
    """
    if _is_mere_number(use) and is_beside_placed:
        return use.inner[:-1]
    if use.leaf.unit.layer.op == "Opaque" or not is_automatic(use.leaf.name):
        return use.inner
    if use.leaf.words[0].isdigit():
        return use.inner
    return tuple(word for word in use.inner if not word.isdigit())


def _name_scores(source: Sequence[Words], target: Sequence[Words]) -> np.ndarray:
    """For every pair, by the share of telling words in common, and by the branches."""
    source_words = [frozenset(name).difference(SAYS_NOTHING) for name in source]
    target_words = [frozenset(name).difference(SAYS_NOTHING) for name in target]
    shared = _counts_in_common(source_words, target_words)
    sizes = np.add.outer([len(words) for words in source_words], [len(words) for words in target_words])
    scores: np.ndarray = WEIGHTS.shared_words * shared / np.maximum(sizes - shared, 1)
    return scores + WEIGHTS.other_branch * _other_branches(source, target)


def _counts_in_common(source: Sequence[frozenset[str]], target: Sequence[frozenset[str]]) -> np.ndarray:
    """For every pair, how many words both have."""
    no_words: frozenset[str] = frozenset()
    vocabulary = sorted(no_words.union(*source) & no_words.union(*target))
    place = {word: i for i, word in enumerate(vocabulary)}
    counts: np.ndarray = _incidence(source, place) @ _incidence(target, place).T
    return counts


def _incidence(names: Sequence[frozenset[str]], place: dict[str, int]) -> np.ndarray:
    """A row a name, with 1 for each word that it has."""
    rows = np.zeros((len(names), len(place)))
    for i, words in enumerate(names):
        rows[i, [place[word] for word in words if word in place]] = 1.0
    return rows


def _other_branches(source: Sequence[Words], target: Sequence[Words]) -> np.ndarray:
    """For every pair, whether the two are of branches that exclude each other (encoder and decoder)."""
    source_branches = [branches_of(name) for name in source]
    target_branches = [branches_of(name) for name in target]
    if not any(source_branches) or not any(target_branches):
        return np.zeros((len(source), len(target)))
    rows = [[is_elsewhere(a, b) for b in target_branches] for a in source_branches]
    return np.array(rows, float)


def _distances_from_place(source: Sequence[Use], target: Sequence[Use]) -> np.ndarray:
    """How far (squared) a number that is all the name there is stands from the usual place of a function."""
    of_targets = (
        np.subtract.outer(_or_nan(map(_usual_place, source)), _or_nan(map(_mere_number, target))) ** 2
    )
    of_sources = (
        np.subtract.outer(_or_nan(map(_mere_number, source)), _or_nan(map(_usual_place, target))) ** 2
    )
    distances: np.ndarray = np.nan_to_num(np.where(np.isnan(of_targets), of_sources, of_targets))
    return distances


def _or_nan(numbers: Iterable[int | None]) -> np.ndarray:
    return np.array([float("nan") if number is None else float(number) for number in numbers], float)


def _usual_place(use: Use) -> int | None:
    if use.function or use.leaf.kind != "vector":
        return PLACES.get(use.function)
    return DECLARED.get(use.leaf.words[-1])


def _mere_number(use: Use) -> int | None:
    return int(use.inner[-1]) if _is_mere_number(use) else None


def _is_mere_number(use: Use) -> bool:
    """Whether a number is all that tells it from its neighbours (`experts/0`)."""
    return bool(use.inner) and use.inner[-1].isdigit() and not use.function
