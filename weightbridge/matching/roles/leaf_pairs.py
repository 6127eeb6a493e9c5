"""Which leaves of two blocks correspond: one to one, by function, size and names. How sure it is follows from what else would fit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from weightbridge.matching.assignment import assignment
from weightbridge.matching.companions import SAYS_NOTHING, companions, support
from weightbridge.matching.names import is_automatic
from weightbridge.matching.roles.block_pairs import likeness
from weightbridge.matching.roles.blocks import Words
from weightbridge.matching.roles.counting import in_step
from weightbridge.matching.roles.leaf_roles import GENERIC, Role
from weightbridge.matching.roles.leaves import Leaf
from weightbridge.matching.roles.ranks import ranks_of
from weightbridge.matching.roles.variants import told_apart

ONLY, BY_FUNCTION, BY_WORDS, MISLEADING, TIED = 0.99, 0.95, 0.85, 0.8, 0.5
SWAPPED = frozenset({"gate", "up"})  # implementations call these two by each other's name
Places = dict[int, int]
RECURRENT, BACKWARD = frozenset({"LSTM", "GRU", "RNN"}), frozenset({"backward", "reverse"})
PLACES = {  # the order in which they are declared, where names are mere numbers
    "gate": 0, "up": 1, "down": 2, "query": 0, "key": 1, "value": 2, "attention_output": 3, "class_token": 0, "distillation_token": 1,
    "state_step_bias": 0, "state_decay": 1,
}  # fmt: skip
DECLARED = {"scale": 0, "gamma": 0, "weight": 0, "bias": 1, "beta": 1, "shift": 1}  # the same, of vectors that no rule knows
ONE_KNOWN, ONE_TOLD = 0.3, 0.8  # what it costs to pair a leaf that a rule knows with one that none knows, without and with a telling name
OF_ONE_KIND = 0.15  # less than the margin: a vector without a telling name may be a norm's
MARGIN = 0.2  # of likeness by words between the chosen one and the next


@dataclass(frozen=True, slots=True)
class LeafPair:
    """Positions of a source and a target leaf in their blocks, with the source leaves that would fit as well."""

    source: int
    target: int
    confidence: float
    evidence: tuple[str, ...]
    runners_up: tuple[int, ...] = ()


def paired_leaves(source: Sequence[Role], target: Sequence[Role]) -> tuple[LeafPair, ...]:
    """The best assignment of leaves of equal size and kind, in target order."""
    if not source or not target:
        return ()
    flows = _told_by_flow(source), _told_by_flow(target)
    source, target = told_apart(*in_step(source, target))
    fits = np.array([[_fits(s, t) for t in target] for s in source], bool)
    left, right = ranks_of(source, target)
    scores = np.array([[_score(s, t, left[i], right[j]) for j, t in enumerate(target)] for i, s in enumerate(source)])
    chosen = _chosen(fits, scores)
    for (i, j), bonus in _of_companions(source, target, flows, fits, chosen).items():
        scores[i, j] += bonus
    chosen = _chosen(fits, scores)
    return tuple(_judged(source, target, fits, scores, i, j) for j, i in sorted(chosen.items()))


def _chosen(fits: np.ndarray, scores: np.ndarray) -> dict[int, int]:
    rows, columns = assignment(np.where(fits, scores + 10.0, 0.0))
    return {int(j): int(i) for i, j in zip(rows, columns, strict=True) if fits[i, j]}


def _told_by_flow(roles: Sequence[Role]) -> tuple[Places, Places] | None:
    """Norm -> the layer that feeds it, and the one that it feeds; None where no data flow is known."""
    if not any(role.behind or role.ahead for role in roles):
        return None
    place = {role.inner: i for i, role in enumerate(roles)}
    behind = {i: place[role.behind] for i, role in enumerate(roles) if role.behind in place}
    return behind, {i: place[role.ahead] for i, role in enumerate(roles) if role.ahead in place}


def _of_companions(
    source: Sequence[Role], target: Sequence[Role], flows: Sequence[tuple[Places, Places] | None], fits: np.ndarray, chosen: Places
) -> dict[tuple[int, int], float]:
    sides = [_by_their_names(roles) if flow is None else flow for roles, flow in zip((source, target), flows, strict=True)]
    paired = {j: (i, bool(fits[:, j].sum() == fits[i].sum() == 1)) for j, i in chosen.items()}
    behind, ahead = (support(ours, theirs, paired) for ours, theirs in zip(*sides, strict=True))
    return {pair: max(behind.get(pair, 0.0), ahead.get(pair, 0.0)) for pair in behind.keys() | ahead.keys()}


def _by_their_names(roles: Sequence[Role]) -> tuple[Places, Places]:
    """Norm -> the layer of its name; apart, where it stands before that: in scopes where most are of another width than it gives."""
    found = companions([r.inner for r in roles], [r.leaf.kind for r in roles])
    flows = {norm: flow for norm, layer in found.items() if roles[norm].leaf.kind == "norm" and (flow := roles[layer].leaf.flow)}
    counts: dict[Words, list[bool]] = {}
    for norm, (_, width) in flows.items():
        counts.setdefault(_scope(roles[norm]), []).append(roles[norm].leaf.size != width)
    before = {scope for scope, others in counts.items() if 2 * sum(others) >= len(others)}
    fitting = {n for n, role in enumerate(roles) if n not in flows or role.leaf.size == flows[n][1]}
    behind = {n: layer for n, layer in found.items() if _scope(roles[n]) not in before and n in fitting}
    return behind, {n: found[n] for n, (window, _) in flows.items() if _scope(roles[n]) in before and window % roles[n].leaf.size == 0}


def _scope(role: Role) -> Words:
    """The words before those that name the norm itself."""
    path = role.leaf.words[:-1] if role.leaf.words[-1].isdigit() else role.leaf.words
    while path and path[-1] in SAYS_NOTHING:
        path = path[:-1]
    return path


def _fits(source: Role, target: Role) -> bool:
    """The same number of weights in the main tensor, and the same kind; a kernel of one tap is a matrix."""
    a, b = source.function, target.function
    same = source.leaf.size == target.leaf.size or {a, b} == {"position_embedding"}
    kinds = {source.leaf.kind, target.leaf.kind}
    alike_kinds = len(kinds) == 1 or kinds == {"norm", "vector"} or (kinds == {"matrix", "vector"} and a == b != "")
    return same and alike_kinds and _is_thinkable(a, b) and _run_alike(source.leaf.flow, target.leaf.flow) and _one_way(source, target)


def _is_thinkable(a: str, b: str) -> bool:
    """Whether two functions may be one under another name: norms are named in many ways, gates and ups are swapped."""
    return not a or not b or a == b or {a, b} == SWAPPED or (a.startswith("norm_") and b.startswith("norm_"))


def _one_way(source: Role, target: Role) -> bool:
    """Whether two recurrent layers run in one direction, which their names or attributes tell."""
    if not {source.leaf.layer.op, target.leaf.layer.op} <= RECURRENT:
        return True
    return _is_backward(source.leaf) == _is_backward(target.leaf)


def _is_backward(leaf: Leaf) -> bool:
    return bool(leaf.layer.attributes.get("go_backwards")) or not BACKWARD.isdisjoint(leaf.words)


def _run_alike(a: tuple[int, int] | None, b: tuple[int, int] | None) -> bool:
    return a is None or b is None or a == b


def _score(source: Role, target: Role, i: int, j: int) -> float:
    a, b = source.function, target.function
    by_function = 4.0 if a and a == b else -4.0 if a and b else -_one_known(source, target) if a or b else 0.0
    bias = 0.3 if len(source.leaf.tensors) == len(target.leaf.tensors) else 0.0
    bias += OF_ONE_KIND if source.leaf.kind == target.leaf.kind else 0.0
    words = alike(_telling(source, target), _telling(target, source))
    return by_function + 2.0 * words + bias + _beside_same(source, target) - 1e-3 * abs(i - j) - 0.1 * _misplaced(source, target)


def _one_known(source: Role, target: Role) -> float:
    """More, where the other one has a name that says something, only nothing that a rule knows."""
    other = target if source.function else source
    return ONE_KNOWN if is_automatic(other.leaf.name) or not any(map(str.isalpha, other.inner)) else ONE_TOLD


def _beside_same(source: Role, target: Role) -> float:
    """Whether the two stand beside the same run of blocks."""
    if not source.towers or not target.towers:
        return 0.0
    return 1.0 if source.towers & target.towers else -2.0


def _telling(role: Role, other: Role) -> Words:
    """Without a number that is all the name there is (`experts/0`), where the other side says what it is for; without a framework's
    counter (`dense_3`)."""
    is_number = _is_mere_number(role) and _usual_place(other) is not None
    is_counter = role.leaf.unit.layer.op != "Opaque" and is_automatic(role.leaf.name) and not role.leaf.words[0].isdigit()
    return role.inner[:-1] if is_number else tuple(w for w in role.inner if not w.isdigit()) if is_counter else role.inner


@lru_cache(maxsize=1 << 16)
def _letters(path: Words) -> str:
    """The telling words of a path as one spelling, numbers apart: `base_net.1.4` and `basenet.1.4_bn` are one name."""
    return re.sub(r"(?<=[a-z]) (?=[a-z])", "", " ".join(w for w in path if w not in GENERIC))


def _spelled(role: Role) -> str:
    return _letters(role.leaf.words)


def _misplaced(source: Role, target: Role) -> int:
    """How far (squared) a number that is all the name there is stands from the usual place of a function."""
    for one, other in ((source, target), (target, source)):
        place = _usual_place(one)
        if place is not None and _is_mere_number(other):
            return (place - int(other.inner[-1])) ** 2
    return 0


def _usual_place(role: Role) -> int | None:
    if role.function or role.leaf.kind != "vector":
        return PLACES.get(role.function)
    return DECLARED.get(role.leaf.words[-1])


def _is_mere_number(role: Role) -> bool:
    return bool(role.inner) and role.inner[-1].isdigit() and not role.function


@lru_cache(maxsize=1 << 16)
def alike(left: Words, right: Words) -> float:
    """Share of common telling words and numbers, minus a penalty for another branch."""
    a, b = ({w for w in side if w not in GENERIC and w != "w"} for side in (left, right))
    shared = len(a & b) / max(len(a | b), 1)
    return shared + min(likeness(left, right), 0.0)


def _judged(source: Sequence[Role], target: Sequence[Role], fits: np.ndarray, scores: np.ndarray, i: int, j: int) -> LeafPair:
    """How sure: the only fit; or the only one of its function; or ahead of the next by the words of its name; or tied."""
    rivals = [int(k) for k in np.flatnonzero(fits[:, j]) if k != i]
    spare = [int(k) for k in np.flatnonzero(fits[i]) if k != j]
    function, same = target[j].function, source[i].function == target[j].function != ""
    evidence = ("shape", *(("name",) if same else ()))
    if same:
        twins = [k for k in rivals if source[k].function == function]
        others = [k for k in spare if target[k].function == function]
        if not twins and not others:
            swap = [k for k in rivals if {source[k].function, function} == SWAPPED]
            swap = swap or [k for k in range(len(source)) if {source[k].function, function} == SWAPPED and fits[k, j]]
            return LeafPair(i, j, MISLEADING if swap else BY_FUNCTION, evidence, tuple(swap))
        rivals, spare = twins, others
    elif source[i].function and target[j].function:
        return LeafPair(i, j, TIED, evidence, tuple(rivals))
    if not rivals and not spare:
        sure = ONLY if same or not (source[i].function or target[j].function) else BY_WORDS
        return LeafPair(i, j, sure, evidence, tuple(rivals))
    own = _spelled(source[i])
    alone = own not in {_spelled(source[k]) for k in rivals} | {_spelled(target[k]) for k in spare}
    if own == _spelled(target[j]) and alone and any(map(str.isalpha, own)):
        return LeafPair(i, j, BY_FUNCTION, (*evidence, "words"), tuple(rivals))
    ahead = min([scores[i, j] - scores[k, j] for k in rivals] + [scores[i, j] - scores[i, k] for k in spare])
    return LeafPair(
        i, j, BY_WORDS if ahead >= MARGIN else TIED, (*evidence, "words") if ahead >= MARGIN else (*evidence, "order"), tuple(rivals)
    )
