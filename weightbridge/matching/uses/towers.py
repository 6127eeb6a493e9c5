"""Towers: what belongs to no block (a final norm, a table) stands beside a run of blocks, and that run has
its counterpart.
"""

from bisect import bisect
from collections.abc import Mapping, Sequence

from weightbridge.matching.uses.block_pairs import BRANCHES, BlockPair
from weightbridge.matching.uses.leaves import Leaf

Words = tuple[str, ...]


def towers(pairs: Sequence[BlockPair], leaves: Sequence[Leaf], is_source: bool) -> tuple[frozenset[int], ...]:
    """For each leaf the pairs of tracks that it stands beside, by number; empty where all stand as near."""
    tracks = list(
        dict.fromkeys((p.source.track, p.target.track) for p in pairs if p.source.track and p.target.track)
    )
    sides = [track[0 if is_source else 1] for track in tracks]
    return tuple(_beside(leaf.words, sides) for leaf in leaves)


def following(
    pairs: Sequence[BlockPair], names: Sequence[str], position: Mapping[str, int], is_source: bool
) -> tuple[frozenset[int], ...]:
    """For each name the pair of tracks of the block that stands before it in a file that keeps the order of
    its layers.
    """
    sides = [(p.source, p.target)[0 if is_source else 1] for p in pairs]
    tracks = list(
        dict.fromkeys((p.source.track, p.target.track) for p in pairs if p.source.track and p.target.track)
    )
    number = {track: n for n, track in enumerate(tracks)}
    places = sorted(
        (position[leaf.unit.name], number[p.source.track, p.target.track])
        for p, block in zip(pairs, sides, strict=True)
        if (p.source.track, p.target.track) in number
        for leaf in block.leaves
    )
    before = [bisect(places, (position[name], -1)) - 1 for name in names]
    return tuple(frozenset({places[i][1]}) if i >= 0 else frozenset() for i in before)


def _beside(path: Words, tracks: Sequence[Words]) -> frozenset[int]:
    """By the scopes that they share; where these say nothing, by the branch (text, vision, ...)."""
    shared = [_shared(path, track) for track in tracks]
    if len(set(shared)) < 2:
        branches = [{BRANCHES[w] for w in track if w in BRANCHES} for track in tracks]
        own = {BRANCHES[w] for w in path if w in BRANCHES}
        shared = [len(own & one) for one in branches]
    nearest = max(shared, default=0)
    found = frozenset(i for i, n in enumerate(shared) if n == nearest)
    return found if nearest and len(found) < len(tracks) else frozenset()


def _shared(path: Words, track: Words) -> int:
    """How many words both begin with."""
    return next(
        (i for i, (a, b) in enumerate(zip(path, track, strict=False)) if a != b), min(len(path), len(track))
    )
