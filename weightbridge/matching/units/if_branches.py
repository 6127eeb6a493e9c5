"""Models in the branches of an If: the one whose layers are the target's is taken.

Where both are, the first, and that is in doubt.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from weightbridge.matching.confidence import DOUBTFUL
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.matching.values import LayerPair
from weightbridge.model.graph import Layer, LayerGraph

THEN, ELSE = "then_branch", "else_branch"
MOST = 8  # choices that are tried
Reducer = Callable[[frozenset[str]], Reduced]


def is_within(layer: Layer, branches: Collection[str]) -> bool:
    """Whether a layer stands in one of these branches, or inside a branch of theirs."""
    own = str(layer.attributes.get("branch", ""))
    return bool(own) and any(own == b or own.startswith(f"{b}/") for b in branches)


def choices(graph: LayerGraph) -> tuple[tuple[str, str], ...]:
    """The Ifs of which both branches have weights, outer ones first: both branches of each."""
    held = {str(x.attributes["branch"]) for x in graph.layers if x.tensors and x.attributes.get("branch")}
    branches = [branch for branch_held in held for branch in _outer(branch_held)]
    nodes = {branch.removesuffix(f"/{THEN}") for branch in branches if branch.endswith(f"/{THEN}")}
    pairs = ((f"{n}/{THEN}", f"{n}/{ELSE}") for n in sorted(nodes, key=lambda n: (n.count("/"), n)))
    return tuple(p for p in pairs if all(any(h == b or h.startswith(f"{b}/") for h in held) for b in p))[
        :MOST
    ]


def _outer(branch: str) -> Iterator[str]:
    """The branch and those around it."""
    parts = branch.split("/")
    yield from ("/".join(parts[: i + 1]) for i, part in enumerate(parts) if part in (THEN, ELSE))


def left_out(
    graph: LayerGraph, other: Reduced, named: Collection[str], reduce: Reducer
) -> tuple[frozenset[str], frozenset[str]]:
    """The branches that are not the target's, as far as one of a pair has more of its layers.

    And those that the user has ruled out.

    named: layers that the user has mapped.
    """
    wanted = Counter(_key(u) for u in other.weighted)
    out: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()
    for pair in choices(graph):
        meant = {b for b in pair if any(is_within(graph.by_name[n], (b,)) for n in named)}
        if len(meant) == 1:
            told |= frozenset(pair) - meant
            continue
        options = (frozenset[str](), frozenset(pair[1:]), frozenset(pair[:1]))
        out |= max(options, key=lambda option, out=out | told: _fit(reduce(out | option), wanted))  # type: ignore[misc]  # bound early
    return out, told


def _fit(reduced: Reduced, wanted: Counter[str]) -> tuple[int, int]:
    """How many units the target has too, then how few others there are."""
    own = Counter(_key(u) for u in reduced.weighted)
    return (own & wanted).total(), -own.total()


def _key(unit: Unit) -> str:
    return f"{unit.family}:{unit.size}"


def rivals(out: Collection[str], reduced: Reduced, whole: Reduced) -> dict[str, tuple[str, ...]]:
    """Units that would do as well: those at the same place of an If's other branch.

    This is said only where that branch has the same units in the same order.
    """
    by_name: dict[str, tuple[str, ...]] = {}
    for branch in out:
        left_out_units = _units_within(whole, branch)
        units = _units_within(reduced, _twin(branch))
        if list(map(_key, units)) == list(map(_key, left_out_units)):
            names = zip(units, left_out_units, strict=True)
            by_name.update({unit.name: (rival.name,) for unit, rival in names})
    return by_name


def _units_within(reduced: Reduced, branch: str) -> list[Unit]:
    return [unit for unit in reduced.weighted if is_within(unit.layer, (branch,))]


def _twin(branch: str) -> str:
    """The name of the other branch of the same If."""
    if branch.endswith(THEN):
        return branch.removesuffix(THEN) + ELSE
    return branch.removesuffix(ELSE) + THEN


def doubted_branches(
    pairs: Sequence[LayerPair], known: Mapping[str, tuple[str, ...]]
) -> tuple[LayerPair, ...]:
    """The pairs, those in doubt whose source has a rival in the other branch."""
    return tuple(
        replace(p, confidence=min(p.confidence, DOUBTFUL), runners_up=known[p.source])
        if p.source in known and "map" not in p.evidence
        else p
        for p in pairs
    )
