"""Which leaves of two blocks correspond: one to one, by function, size and names. How sure it is follows from
what else would fit.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from weightbridge.matching.confidence import BY_WORDS, DOUBTFUL, MISLEADING, ONLY_FIT, SAME_FUNCTION
from weightbridge.matching.pairing.companions import SAYS_NOTHING, companions, support
from weightbridge.matching.uses.blocks import Words
from weightbridge.matching.uses.counting import in_step
from weightbridge.matching.uses.leaf_scores import Group, groups_of
from weightbridge.matching.uses.leaf_uses import GENERIC, SWAPPED, Use
from weightbridge.matching.uses.variants import told_apart
from weightbridge.matching.uses.weights import WEIGHTS

Places = dict[int, int]


@dataclass(frozen=True, slots=True)
class LeafPair:
    """Positions of a source and a target leaf in their blocks, with the source leaves that would fit as well."""

    source: int
    target: int
    confidence: float
    evidence: tuple[str, ...]
    runners_up: tuple[int, ...] = ()


def paired_leaves(source: Sequence[Use], target: Sequence[Use]) -> tuple[LeafPair, ...]:
    """The best assignment of leaves of equal size and kind, in target order."""
    if not source or not target:
        return ()
    flows = _told_by_flow(source), _told_by_flow(target)
    source, target = told_apart(*in_step(source, target))
    groups = groups_of(source, target)
    homes = {int(place): (group, j) for group in groups for j, place in enumerate(group.columns)}
    for (one, other), bonus in _of_companions(source, target, flows, groups).items():
        group, j = homes.get(other, (None, 0))
        if group is not None:
            group.scores[group.rows == one, j] += bonus
    pairs = (_judged(group, source, target, i, j) for group in groups for j, i in group.chosen().items())
    return tuple(sorted(pairs, key=lambda pair: pair.target))


def _told_by_flow(roles: Sequence[Use]) -> tuple[Places, Places] | None:
    """Norm -> the layer that feeds it, and the one that it feeds; None where no data flow is known."""
    if not any(role.behind or role.ahead for role in roles):
        return None
    place = {role.inner: i for i, role in enumerate(roles)}
    behind = {i: place[role.behind] for i, role in enumerate(roles) if role.behind in place}
    return behind, {i: place[role.ahead] for i, role in enumerate(roles) if role.ahead in place}


def _of_companions(
    source: Sequence[Use],
    target: Sequence[Use],
    flows: Sequence[tuple[Places, Places] | None],
    groups: Sequence[Group],
) -> dict[tuple[int, int], float]:
    sides = [
        _by_their_names(roles) if flow is None else flow
        for roles, flow in zip((source, target), flows, strict=True)
    ]
    paired = {
        int(group.columns[j]): (int(group.rows[i]), bool(group.fits[:, j].sum() == group.fits[i].sum() == 1))
        for group in groups
        for j, i in group.chosen().items()
    }
    behind, ahead = (support(ours, theirs, paired) for ours, theirs in zip(*sides, strict=True))
    return {pair: max(behind.get(pair, 0.0), ahead.get(pair, 0.0)) for pair in behind.keys() | ahead.keys()}


def _by_their_names(roles: Sequence[Use]) -> tuple[Places, Places]:
    """Norm -> the layer of its name; apart, where it stands before that: in scopes where most are of another
    width than it gives.
    """
    found = companions([r.inner for r in roles], [r.leaf.kind for r in roles])
    flows = {
        norm: flow
        for norm, layer in found.items()
        if roles[norm].leaf.kind == "norm" and (flow := roles[layer].leaf.flow)
    }
    counts: dict[Words, list[bool]] = {}
    for norm, (_, width) in flows.items():
        counts.setdefault(_scope(roles[norm]), []).append(roles[norm].leaf.size != width)
    before = {scope for scope, others in counts.items() if 2 * sum(others) >= len(others)}
    fitting = {n for n, role in enumerate(roles) if n not in flows or role.leaf.size == flows[n][1]}
    behind = {n: layer for n, layer in found.items() if _scope(roles[n]) not in before and n in fitting}
    return behind, {
        n: found[n]
        for n, (window, _) in flows.items()
        if _scope(roles[n]) in before and window % roles[n].leaf.size == 0
    }


def _scope(role: Use) -> Words:
    """The words before those that name the norm itself."""
    path = role.leaf.words[:-1] if role.leaf.words[-1].isdigit() else role.leaf.words
    while path and path[-1] in SAYS_NOTHING:
        path = path[:-1]
    return path


@lru_cache(maxsize=1 << 16)
def _letters(path: Words) -> str:
    """The telling words of a path as one spelling, numbers apart: `base_net.1.4` and `basenet.1.4_bn` are one
    name.
    """
    return re.sub(r"(?<=[a-z]) (?=[a-z])", "", " ".join(w for w in path if w not in GENERIC))


def _spelled(role: Use) -> str:
    return _letters(role.leaf.words)


def _judged(group: Group, source: Sequence[Use], target: Sequence[Use], i: int, j: int) -> LeafPair:
    """How sure: the only fit; or the only one of its function; or ahead of the next by the words of its name;
    or tied.
    """
    one, other = source[group.rows[i]], target[group.columns[j]]
    rivals = [k for k in np.flatnonzero(group.fits[:, j]) if k != i]
    spare = [k for k in np.flatnonzero(group.fits[i]) if k != j]
    function, same = other.function, one.function == other.function != ""

    def pair(confidence: float, *evidence: str) -> LeafPair:
        named = ("shape", *(("name",) if same else ()), *evidence)
        return LeafPair(
            int(group.rows[i]), int(group.columns[j]), confidence, named, tuple(group.rows[rivals].tolist())
        )

    if same:
        twins = [k for k in rivals if source[group.rows[k]].function == function]
        others = [k for k in spare if target[group.columns[k]].function == function]
        if not twins and not others:
            rivals = [k for k in rivals if {source[group.rows[k]].function, function} == SWAPPED]
            return pair(MISLEADING if rivals else SAME_FUNCTION)
        rivals, spare = twins, others
    elif one.function and function:
        return pair(DOUBTFUL)
    if not rivals and not spare:
        return pair(ONLY_FIT if same or not (one.function or function) else BY_WORDS)
    own = _spelled(one)
    as_well = (*(source[k] for k in group.rows[rivals]), *(target[k] for k in group.columns[spare]))
    if (
        own == _spelled(other)
        and any(map(str.isalpha, own))
        and not any(own == _spelled(role) for role in as_well)
    ):
        return pair(SAME_FUNCTION, "words")
    next_best = np.concatenate((group.scores[rivals, j], group.scores[i, spare])).max()
    return (
        pair(BY_WORDS, "words")
        if group.scores[i, j] - next_best >= WEIGHTS.margin
        else pair(DOUBTFUL, "order")
    )
