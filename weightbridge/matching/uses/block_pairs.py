"""Which blocks of two models correspond: the partitions that explain most, tracks by their names and sizes,
blocks in order.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from weightbridge.matching.sequences.alignment import align
from weightbridge.matching.sequences.assignment import assignment
from weightbridge.matching.uses.blocks import Block, Partition, one_track, partitions
from weightbridge.matching.uses.leaves import Leaf
from weightbridge.matching.uses.weights import WEIGHTS

BRANCHES: Mapping[str, str] = {
    "encoder": "encoder", "decoder": "decoder", "vision": "vision", "visual": "vision", "image": "vision",
    "text": "text", "language": "text", "audio": "audio", "cross": "cross", "student": "student", "teacher": "teacher",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BlockPair:
    """A source block and its target block; `sure` is false where another neighbour would do as well."""

    source: Block
    target: Block
    sure: bool


def paired_blocks(
    source: Sequence[Leaf], target: Sequence[Leaf], listed: tuple[bool, bool] = (False, False)
) -> tuple[BlockPair, ...]:
    """All pairs of blocks, the rests (what belongs to no run) last. `listed`: whether a side's leaves are in
    the model's own order.

    One run may be several that take turns on the other side, where that side's order says in which turns.
    """
    best: tuple[tuple[float, int], tuple[BlockPair, ...]] | None = None
    for a, b, told in _cuts(source, target, listed):
        pairs = _paired(a, b)
        found = pairs if told else tuple(replace(p, sure=p.sure and _is_only_one(p, pairs)) for p in pairs)
        score = sum(_explained(p) for p in found), len(found)
        if best is None or score > best[0]:
            rests = _with_stems(a, [p.source for p in found]), _with_stems(b, [p.target for p in found])
            best = score, (*found, BlockPair(*rests, True))
    if best is None or best[0][0] == 0:
        return (BlockPair(Block((), (), 0, tuple(source)), Block((), (), 0, tuple(target)), True),)
    return best[1]


def _cuts(
    source: Sequence[Leaf], target: Sequence[Leaf], listed: tuple[bool, bool]
) -> Iterator[tuple[Partition, Partition, bool]]:
    """Both models cut into blocks in all ways; whether the order of the blocks in a run that was made of
    several is known.
    """
    plain = partitions(source), partitions(target)
    merged = [
        [(one_track(cut), known or len(cut.tracks) < 2) for cut in side]
        for side, known in zip(plain, listed, strict=True)
    ]
    yield from ((a, b, True) for a, b in product(*plain))
    yield from ((a, b, left and right) for (a, left), (b, right) in product(*merged))
    if listed[1]:
        yield from ((a, b, True) for a, (b, _) in product(plain[0], merged[1]))
    if listed[0]:
        yield from ((a, b, True) for (a, _), b in product(merged[0], plain[1]))


def _is_only_one(pair: BlockPair, pairs: Sequence[BlockPair]) -> bool:
    """Whether its kernels are those of no other block: a file that sorts by name does not tell in which turns
    two runs stand.
    """
    sizes = pair.source.kernels
    return (
        sizes == pair.target.kernels
        and sum(sizes in (p.source.kernels, p.target.kernels) for p in pairs) == 1
    )


def _with_stems(partition: Partition, paired: Sequence[Block]) -> Block:
    """What belongs to no run, and what its name alone put into one: blocks without a counterpart that hold
    half of what others hold.
    """
    used = {id(block) for block in paired}
    counts = sorted(len(block.leaves) for block in paired)
    most = counts[len(counts) // 2] // 2 if counts else 0
    lone = [
        b
        for blocks in partition.tracks.values()
        for b in blocks
        if id(b) not in used and len(b.leaves) <= most
    ]
    leaves = (*(leaf for block in lone for leaf in block.leaves), *partition.rest.leaves)
    return replace(partition.rest, leaves=leaves)


def _explained(pair: BlockPair) -> float:
    """Parameters that the pair explains: all where the blocks are equally large, less where they differ."""
    sizes = sorted((pair.source.parameters, pair.target.parameters))
    is_alike = _is_alike(pair.source, pair.target)
    return (
        sizes[0]
        if is_alike
        else WEIGHTS.rough_block * sizes[0]
        if _is_rough(pair.source, pair.target)
        else 0.0
    )


def _paired(a: Partition, b: Partition) -> tuple[BlockPair, ...]:
    left, right = list(a.tracks), list(b.tracks)
    if not left or not right:
        return ()
    found = {
        (i, j): _aligned(a.tracks[s], b.tracks[t])
        for (i, s), (j, t) in product(enumerate(left), enumerate(right))
    }
    scores = np.zeros((len(left), len(right)))
    total = max(sum(block.parameters for blocks in b.tracks.values() for block in blocks), 1)
    for (i, j), pairs in found.items():
        scores[i, j] = sum(_explained(p) for p in pairs) / total + WEIGHTS.track_name * likeness(
            left[i], right[j]
        )
    rows, columns = assignment(scores)
    return tuple(p for i, j in zip(rows, columns, strict=True) for p in found[int(i), int(j)])


def likeness(left: Sequence[str], right: Sequence[str]) -> float:
    """How well two scopes agree in branch (encoder, decoder, vision, ...) and words, -1 to 1."""
    a, b = branches_of(left), branches_of(right)
    if is_elsewhere(a, b):
        return WEIGHTS.track_other_branch
    p, q = ({w for w in side if not w.isdigit()} for side in (left, right))
    return WEIGHTS.track_branch * (a == b and bool(a)) + WEIGHTS.track_words * len(p & q) / max(len(p | q), 1)


def branches_of(words: Sequence[str]) -> frozenset[str]:
    """The branches of a model that a path names."""
    return frozenset(BRANCHES[w] for w in words if w in BRANCHES)


def is_elsewhere(a: frozenset[str], b: frozenset[str]) -> bool:
    """Whether two paths name branches that exclude each other."""
    return bool(a and b) and not (a <= b or b <= a)


def _aligned(source: Sequence[Block], target: Sequence[Block]) -> tuple[BlockPair, ...]:
    """In order where there are as many; by number where one side's numbers are among the other's; as the
    sizes tell where that explains
    more."""
    if len(source) == len(target):
        return tuple(BlockPair(s, t, True) for s, t in zip(source, target, strict=True) if _is_rough(s, t))
    a, b = ({block.place: block for block in side} for side in (source, target))
    by_number: tuple[BlockPair, ...] = ()
    if set(a) <= set(b) or set(b) <= set(a):
        by_number = tuple(
            BlockPair(a[p], b[p], True) for p in sorted(set(a) & set(b)) if _is_rough(a[p], b[p])
        )
    if len(by_number) == min(len(a), len(b)) and all(_is_alike(p.source, p.target) for p in by_number):
        return by_number
    return max(
        by_number,
        _by_size(source, target, False),
        _by_size(source, target, True),
        key=lambda ps: sum(map(_explained, ps)),
    )


def _by_size(source: Sequence[Block], target: Sequence[Block], is_by_kernels: bool) -> tuple[BlockPair, ...]:
    """In order, with gaps, where the numbers of parameters are equal, or the sizes of the kernels; sure where
    nothing is left over.
    """
    sizes = [
        [str(block.kernels or block.place) if is_by_kernels else str(block.parameters) for block in side]
        for side in (source, target)
    ]
    counts = [Counter(side) for side in sizes]
    pairs = align(sizes[0], sizes[1])
    return tuple(
        BlockPair(source[i], target[j], counts[0][sizes[0][i]] == counts[1][sizes[1][j]]) for i, j in pairs
    )


def _is_alike(source: Block, target: Block) -> bool:
    return source.parameters == target.parameters or source.kernels == target.kernels != ()


def _is_rough(source: Block, target: Block) -> bool:
    small, large = sorted((source.parameters, target.parameters))
    return small >= WEIGHTS.rough_size * large
