"""Further norms of one function: `pre_ffn_norm_2`, `post_ffn_norm_2` beside `pre_ffn_norm_moe`,
`post_ffn_norm_moe_path`.

What tells them apart is a word behind the function's name, and each side has words of its own. Where a
function has one such norm on
both sides, its words are each other's translation, and hold for the other functions of the block too.
"""

from collections.abc import Sequence
from dataclasses import replace

from weightbridge.matching.uses.blocks import Words
from weightbridge.matching.uses.leaf_uses import Use
from weightbridge.rules.names import function_of

MOST_WORDS = 2  # behind the name of the function
Variants = dict[str, dict[int, Words]]  # function -> place -> the words that tell it apart
Translation = set[tuple[str, str]]


def told_apart(source: Sequence[Use], target: Sequence[Use]) -> tuple[list[Use], list[Use]]:
    """Both sides, with a function of its own for each further norm whose counterpart the words tell."""
    ours, theirs = _variants(source), _variants(target)
    both = [f for f in ours if len(ours[f]) == len(theirs.get(f, ()))]
    known = {
        (a, b)
        for f in both
        if len(ours[f]) == 1
        for left in ours[f].values()
        for a in left
        for b in next(iter(theirs[f].values()))
    }
    found = list(source), list(target)
    for function in both:
        for i, j in _pairs(ours[function], theirs[function], known).items():
            name = "_".join((function, *ours[function][i]))
            found[0][i], found[1][j] = replace(source[i], function=name), replace(target[j], function=name)
    return found


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


def _pairs(ours: dict[int, Words], theirs: dict[int, Words], known: Translation) -> dict[int, int]:
    """Source -> target where all are told: by words, the last one because it is left. Nothing, where they are
    not.
    """
    told = {
        i: [j for j, other in theirs.items() if not known.isdisjoint((a, b) for a in own for b in other)]
        for i, own in ours.items()
    }
    pairs = {i: fitting[0] for i, fitting in told.items() if len(fitting) == 1}
    left, right = [i for i in ours if i not in pairs], [j for j in theirs if j not in pairs.values()]
    if len(left) == len(right) == 1:
        pairs[left[0]] = right[0]
    return pairs if len(pairs) == len(ours) == len(set(pairs.values())) else {}
