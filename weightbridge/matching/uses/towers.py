"""Towers: the run of blocks that a leaf outside of all blocks stands beside.

`vision.post_layernorm` stands beside `vision.encoder.layers`, and that run has its counterpart.
"""

from bisect import bisect
from collections.abc import Mapping, Sequence

from weightbridge.matching.uses.block_pairs import BlockPair, branches_of
from weightbridge.matching.uses.leaves import Leaf

Words = tuple[str, ...]
NOTHING: frozenset[int] = frozenset()


def towers(pairs: Sequence[BlockPair], leaves: Sequence[Leaf], is_source: bool) -> tuple[frozenset[int], ...]:
    """For each leaf the pairs of tracks that it stands beside, by number; empty where all stand as near."""
    tracks = [source if is_source else target for source, target in _numbers_of_tracks(pairs)]
    return tuple(_beside(leaf.words, tracks) for leaf in leaves)


def following(
    pairs: Sequence[BlockPair], names: Sequence[str], position: Mapping[str, int], is_source: bool
) -> tuple[frozenset[int], ...]:
    """For each unit the pair of tracks of the block before it, in a file that keeps its order."""
    number = _numbers_of_tracks(pairs)
    places: list[tuple[int, int]] = []
    for pair in pairs:
        block = pair.source if is_source else pair.target
        track = number.get((pair.source.track, pair.target.track))
        if track is not None:
            places += [(position[leaf.unit.name], track) for leaf in block.leaves]
    places.sort()
    return tuple(_track_before(position[name], places) for name in names)


def _track_before(position: int, places: Sequence[tuple[int, int]]) -> frozenset[int]:
    """The track of the last of the places (position, track) before this one."""
    before = bisect(places, (position, -1)) - 1
    return frozenset({places[before][1]}) if before >= 0 else NOTHING


def _numbers_of_tracks(pairs: Sequence[BlockPair]) -> dict[tuple[Words, Words], int]:
    """(source track, target track) -> its number, in the order of the blocks."""
    tracks = [(pair.source.track, pair.target.track) for pair in pairs]
    named = dict.fromkeys(track for track in tracks if all(track))
    return {track: number for number, track in enumerate(named)}


def _beside(path: Words, tracks: Sequence[Words]) -> frozenset[int]:
    """By the scopes that they share; where these say nothing, by the branch (text, vision, ...)."""
    nearness = [_shared_scope(path, track) for track in tracks]
    if len(set(nearness)) < 2:
        own_branches = branches_of(path)
        nearness = [len(own_branches & branches_of(track)) for track in tracks]
    nearest = max(nearness, default=0)
    beside = frozenset(i for i, n in enumerate(nearness) if n == nearest)
    return beside if nearest and len(beside) < len(tracks) else NOTHING


def _shared_scope(path: Words, track: Words) -> int:
    """How many words both begin with."""
    count = 0
    for word, track_word in zip(path, track, strict=False):
        if word != track_word:
            break
        count += 1
    return count
