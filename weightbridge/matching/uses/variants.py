"""Further norms of one function: `pre_ffn_norm_2` -> `pre_ffn_norm_moe`.

What tells them apart is a word behind the function's name, and each side has words of its own. Where a
function has one such norm on both sides, its words are each other's translation, and hold for the other
functions of the
block too: `2` -> `moe`.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from weightbridge.matching.uses.blocks import Words
from weightbridge.matching.uses.leaf_uses import Use
from weightbridge.rules.names import function_of

MOST_WORDS = 2  # behind the name of the function
Variants = dict[str, dict[int, Words]]  # function -> place -> the words that tell it apart
Translation = set[tuple[str, str]]


def told_apart(source: Sequence[Use], target: Sequence[Use]) -> tuple[list[Use], list[Use]]:
    """Both sides, with a function of its own for each further norm whose counterpart the words tell."""
    source_variants, target_variants = _variants(source), _variants(target)
    told_source, told_target = list(source), list(target)
    translation = _translation(source_variants, target_variants)
    for function, ours in source_variants.items():
        theirs = target_variants.get(function, {})
        if len(ours) != len(theirs):
            continue
        for i, j in _pairs(ours, theirs, translation).items():
            name = "_".join((function, *ours[i]))
            told_source[i] = replace(source[i], function=name)
            told_target[j] = replace(target[j], function=name)
    return told_source, told_target


def _variants(roles: Sequence[Use]) -> Variants:
    found: Variants = {}
    for i, role in enumerate(roles):
        function, behind = _apart(role)
        if function:
            found.setdefault(function, {})[i] = behind
    return found


def _apart(role: Use) -> tuple[str, Words]:
    """The function that a norm's name has without the words behind it, and these words."""
    if role.function or role.leaf.kind != "norm":
        return "", ()
    path = role.leaf.words
    for count in range(1, MOST_WORDS + 1):
        if path[-count - 1 : -count] == ("norm",):
            return function_of(path[:-count], "norm"), path[-count:]
    return "", ()


def _translation(source: Variants, target: Variants) -> Translation:
    """The words that stand for each other: those of functions with one such norm on both sides."""
    translation: Translation = set()
    for function, ours in source.items():
        theirs = target.get(function, {})
        if len(ours) == len(theirs) == 1:
            (source_words,), (target_words,) = ours.values(), theirs.values()
            translation |= set(product(source_words, target_words))
    return translation


def _pairs(ours: dict[int, Words], theirs: dict[int, Words], known: Translation) -> dict[int, int]:
    """Source -> target by words, the last one because it is left; nothing where not all are told."""
    pairs = {}
    for i, own in ours.items():
        fitting = [j for j, words in theirs.items() if not known.isdisjoint(product(own, words))]
        if len(fitting) == 1:
            pairs[i] = fitting[0]
    left, spare = ours.keys() - pairs.keys(), theirs.keys() - pairs.values()
    if len(left) == len(spare) == 1:
        pairs[left.pop()] = spare.pop()
    return pairs if len(pairs) == len(ours) == len(set(pairs.values())) else {}
