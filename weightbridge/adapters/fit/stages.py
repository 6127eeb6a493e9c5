"""Which source cut each target cut is to reproduce: several ways to say it, tried by what comes of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import log

from weightbridge.adapters.fit.cuts import Cut
from weightbridge.adapters.fit.goals import Pair
from weightbridge.adapters.fit.ladder import INPUT, Unexplained

Pairing = tuple[Pair, ...]
Cuts = Sequence[Cut]
Chain = tuple[float, tuple[int, ...]]  # its cost, and the source's cuts by their places
Choose = Callable[[Cuts, Cuts], list[Cut]]


def pairings(target: Cuts, source: Cuts, unexplained: Unexplained) -> Mapping[str, Pairing]:
    """By way; of ways that say the same the first alone. The last cuts, the outputs, belong together.

    unexplained: of the source's cuts with a grid, by their places, what each leaves of a later one.
    """
    made: dict[str, Pairing] = {}
    ways: dict[str, Choose] = {**WAYS, "even steps": partial(by_steps, unexplained=unexplained)}
    for way, choose in ways.items():
        pairs = _paired(target, source, choose)
        if pairs not in made.values():
            made[way] = pairs
    return made


def _paired(target: Cuts, source: Cuts, choose: Choose) -> Pairing:
    """Maps take from maps and vectors from vectors, as far as the source has both."""
    ends = (Pair(target[-1], source[-1]),)
    if len(source) < 2:
        return ends
    maps, vectors = maps_and_vectors(target[:-1])
    their_maps, their_vectors = maps_and_vectors(source[:-1])
    of_maps = choose(maps, their_maps or their_vectors) if maps else []
    of_vectors = by_ratio(vectors, their_vectors or their_maps) if vectors else []
    both = (*zip(maps, of_maps, strict=True), *zip(vectors, of_vectors, strict=True))
    return (*sorted((Pair(*cuts) for cuts in both), key=lambda pair: pair.target.node), *ends)


def maps_and_vectors(cuts: Cuts) -> tuple[list[Cut], list[Cut]]:
    return [cut for cut in cuts if cut.grid], [cut for cut in cuts if not cut.grid]


def by_place(target: Cuts, source: Cuts) -> list[Cut]:
    """The same place in the stage of the nearest resolution."""
    finest = max(cut.places for cut in (*target, *source))
    theirs = _stages(source)
    found: list[Cut] = []
    for stage in _stages(target):
        near = min(theirs, key=lambda other: _apart(stage[0], other[0], finest))
        found += [_at(near, (n + 1) / len(stage)) for n in range(len(stage))]
    return _ending(found, source)


def by_ratio(target: Cuts, source: Cuts) -> list[Cut]:
    """The same share of all cuts."""
    return _ending([_at(source, (n + 1) / len(target)) for n in range(len(target))], source)


def by_stage_ratio(target: Cuts, source: Cuts) -> list[Cut]:
    """Stages by their number, then the same place in them: for grids that have no equals."""
    ours, theirs = _stages(target), _stages(source)
    found: list[Cut] = []
    for n, stage in enumerate(ours):
        other = theirs[max(0, round((n + 1) / len(ours) * len(theirs)) - 1)]
        found += [_at(other, (k + 1) / len(stage)) for k in range(len(stage))]
    return _ending(found, source)


def by_steps(target: Cuts, source: Cuts, unexplained: Unexplained) -> list[Cut]:
    """Steps from the input to the last cut of which none is long: squares of what each leaves unexplained."""
    if not unexplained:
        return by_ratio(target, source)
    best: dict[int, Chain] = {n: (unexplained[INPUT, n] ** 2, (n,)) for n in range(len(source))}
    for _ in target[1:]:
        best = {n: min(_steps_to(n, best, unexplained)) for n in best}
    return _ending([source[n] for n in best[len(source) - 1][1]], source)


def _steps_to(n: int, best: Mapping[int, Chain], unexplained: Unexplained) -> Iterator[Chain]:
    for earlier in range(n + 1):
        cost, way = best[earlier]
        yield cost + unexplained.get((earlier, n), 0.0) ** 2, (*way, n)


WAYS: dict[str, Choose] = {
    "place in the stage": by_place,
    "ratio": by_ratio,
    "ratio of stages": by_stage_ratio,
}


def _ending(found: list[Cut], source: Cuts) -> list[Cut]:
    """In the source's order, the last always for the last."""
    order = {cut.node: n for n, cut in enumerate(source)}
    highest, rising = 0, []
    for cut in found:
        highest = max(highest, order[cut.node])
        rising.append(source[highest])
    return [*rising[:-1], source[-1]]


def _stages(cuts: Cuts) -> list[list[Cut]]:
    found: dict[tuple[int, ...], list[Cut]] = {}
    for cut in cuts:
        found.setdefault(cut.grid, []).append(cut)
    return list(found.values())


def _at(cuts: Cuts, share: float) -> Cut:
    return cuts[max(0, round(share * len(cuts)) - 1)]


def _apart(one: Cut, other: Cut, finest: int) -> float:
    return abs(log(one.places / finest) - log(other.places / finest))
