"""Which blocks of two models correspond: `encoder.layer.3` -> `transformer.layers.3`.

Of all ways to cut both models into blocks, the one that explains most parameters counts; tracks (runs of
blocks) are paired by names and sizes, and their blocks in order.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.matching.sequences.alignment import align
from weightbridge.matching.sequences.assignment import assignment
from weightbridge.matching.uses.blocks import Block, Partition, one_track, partitions
from weightbridge.matching.uses.leaves import Leaf
from weightbridge.matching.uses.weights import WEIGHTS

BRANCHES: Mapping[str, str] = {
    "encoder": "encoder", "decoder": "decoder", "vision": "vision", "visual": "vision", "image": "vision",
    "text": "text", "language": "text", "audio": "audio", "cross": "cross",
    "student": "student", "teacher": "teacher",
}  # fmt: skip
Cut = tuple[Partition, Partition, bool]  # of both models; whether the order of merged runs is known


@dataclass(frozen=True, slots=True)
class BlockPair:
    """A source block and its target block; `sure` is false where another neighbour would do as well."""

    source: Block
    target: Block
    sure: bool


def paired_blocks(
    source: Sequence[Leaf], target: Sequence[Leaf], listed: tuple[bool, bool] = (False, False)
) -> tuple[BlockPair, ...]:
    """All pairs of blocks, the rests (what belongs to no run) last.

    listed: whether a side's leaves are in the model's own order. One run may be several that take turns on
    the other side, where that side's order says in which turns.
    """
    best_score = (0.0, 0)
    best_cuts: tuple[Partition, Partition] | None = None
    best_pairs: tuple[BlockPair, ...] = ()
    for source_cut, target_cut, is_order_known in _cuts(source, target, listed):
        pairs = _pairs_of_cuts(source_cut, target_cut)
        score = sum(_explained(pair) for pair in pairs), len(pairs)
        if score > best_score:
            best_score, best_cuts = score, (source_cut, target_cut)
            best_pairs = pairs if is_order_known else _with_doubt(pairs)
    if best_cuts is None or best_score[0] == 0:
        return (BlockPair(_one_block(source), _one_block(target), True),)
    return (*best_pairs, _rests(best_cuts, best_pairs))


def _one_block(leaves: Sequence[Leaf]) -> Block:
    """The whole model, where nothing is cut."""
    return Block((), (), 0, tuple(leaves))


def _cuts(source: Sequence[Leaf], target: Sequence[Leaf], listed: tuple[bool, bool]) -> Iterator[Cut]:
    """Both models cut into blocks in all ways, the runs of each side apart or merged into one."""
    source_cuts, target_cuts = partitions(source), partitions(target)
    source_merged = [one_track(cut) for cut in source_cuts]
    target_merged = [one_track(cut) for cut in target_cuts]
    yield from ((a, b, True) for a, b in product(source_cuts, target_cuts))
    for (a, a_merged), (b, b_merged) in product(
        zip(source_cuts, source_merged, strict=True), zip(target_cuts, target_merged, strict=True)
    ):
        is_source_known = listed[0] or len(a.tracks) < 2
        is_target_known = listed[1] or len(b.tracks) < 2
        yield a_merged, b_merged, is_source_known and is_target_known
    if listed[1]:
        yield from ((a, b, True) for a, b in product(source_cuts, target_merged))
    if listed[0]:
        yield from ((a, b, True) for a, b in product(source_merged, target_cuts))


def _pairs_of_cuts(source: Partition, target: Partition) -> tuple[BlockPair, ...]:
    """The blocks of both, track by track: tracks pair that explain most and are named alike."""
    if not source.tracks or not target.tracks:
        return ()
    total = max(sum(block.parameters for blocks in target.tracks.values() for block in blocks), 1)
    scores = np.zeros((len(source.tracks), len(target.tracks)))
    pairs_of_tracks: dict[tuple[int, int], tuple[BlockPair, ...]] = {}
    for i, (source_track, source_blocks) in enumerate(source.tracks.items()):
        for j, (target_track, target_blocks) in enumerate(target.tracks.items()):
            pairs = _aligned(source_blocks, target_blocks)
            share = sum(_explained(pair) for pair in pairs) / total
            pairs_of_tracks[i, j] = pairs
            scores[i, j] = share + WEIGHTS.track_name * likeness(source_track, target_track)
    rows, columns = assignment(scores)
    chosen = zip(rows, columns, strict=True)
    return tuple(pair for i, j in chosen for pair in pairs_of_tracks[int(i), int(j)])


def likeness(source: Sequence[str], target: Sequence[str]) -> float:
    """How well two scopes agree in branch (encoder, decoder, vision, ...) and words, -1 to 1."""
    source_branches, target_branches = branches_of(source), branches_of(target)
    if is_elsewhere(source_branches, target_branches):
        return WEIGHTS.track_other_branch
    source_words = {word for word in source if not word.isdigit()}
    target_words = {word for word in target if not word.isdigit()}
    share = len(source_words & target_words) / max(len(source_words | target_words), 1)
    is_one_branch = source_branches == target_branches and bool(source_branches)
    return WEIGHTS.track_branch * is_one_branch + WEIGHTS.track_words * share


def branches_of(words: Sequence[str]) -> frozenset[str]:
    """The branches of a model that a path names."""
    return frozenset(BRANCHES[w] for w in words if w in BRANCHES)


def is_elsewhere(a: frozenset[str], b: frozenset[str]) -> bool:
    """Whether two paths name branches that exclude each other."""
    return bool(a and b) and not (a <= b or b <= a)


def _aligned(source: Sequence[Block], target: Sequence[Block]) -> tuple[BlockPair, ...]:
    """In order where there are as many; else by number, or as the sizes tell where that explains more."""
    if len(source) == len(target):
        return _rough_pairs(source, target)
    by_number = _by_number(source, target)
    if by_number and all(_is_alike(pair) for pair in by_number) and _has_all(by_number, source, target):
        return by_number
    by_parameters = _by_size(source, target, lambda block: str(block.parameters))
    by_kernels = _by_size(source, target, lambda block: str(block.kernels or block.place))
    return max(by_number, by_parameters, by_kernels, key=lambda pairs: sum(map(_explained, pairs)))


def _rough_pairs(source: Iterable[Block], target: Iterable[Block]) -> tuple[BlockPair, ...]:
    """Block by block, without those that differ too much."""
    pairs = [BlockPair(*blocks, True) for blocks in zip(source, target, strict=True)]
    return tuple(pair for pair in pairs if _is_rough(pair))


def _by_number(source: Sequence[Block], target: Sequence[Block]) -> tuple[BlockPair, ...]:
    """By number, where one side's numbers are among the other's."""
    source_places = {block.place: block for block in source}
    target_places = {block.place: block for block in target}
    shared = source_places.keys() & target_places.keys()
    if len(shared) < min(len(source_places), len(target_places)):
        return ()
    places = sorted(shared)
    return _rough_pairs(
        [source_places[place] for place in places], [target_places[place] for place in places]
    )


def _has_all(by_number: Sequence[BlockPair], source: Sequence[Block], target: Sequence[Block]) -> bool:
    """Whether no number of the side with fewer is without its pair."""
    fewest = min(len({block.place for block in side}) for side in (source, target))
    return len(by_number) == fewest


def _by_size(
    source: Sequence[Block], target: Sequence[Block], size: Callable[[Block], str]
) -> tuple[BlockPair, ...]:
    """In order, with gaps, where the sizes are equal; sure where no block of a size is left over."""
    source_sizes = [size(block) for block in source]
    target_sizes = [size(block) for block in target]
    source_counts, target_counts = Counter(source_sizes), Counter(target_sizes)
    pairs = []
    for i, j in align(source_sizes, target_sizes):
        is_sure = source_counts[source_sizes[i]] == target_counts[target_sizes[j]]
        pairs.append(BlockPair(source[i], target[j], is_sure))
    return tuple(pairs)


def _with_doubt(pairs: Sequence[BlockPair]) -> tuple[BlockPair, ...]:
    """Sure only where the kernels are those of no other block.

    A file that sorts by name does not tell in which turns two runs stand.
    """
    return tuple(replace(pair, sure=pair.sure and _is_only_one(pair, pairs)) for pair in pairs)


def _is_only_one(pair: BlockPair, pairs: Sequence[BlockPair]) -> bool:
    sizes = pair.source.kernels
    count = sum(sizes in (p.source.kernels, p.target.kernels) for p in pairs)
    return sizes == pair.target.kernels and count == 1


def _explained(pair: BlockPair) -> float:
    """Parameters that the pair explains: all where the blocks are equally large, less where they differ."""
    smaller = min(pair.source.parameters, pair.target.parameters)
    if _is_alike(pair):
        return smaller
    return WEIGHTS.rough_block * smaller if _is_rough(pair) else 0.0


def _is_alike(pair: BlockPair) -> bool:
    """Whether both have as many parameters, or the same kernels."""
    if pair.source.parameters == pair.target.parameters:
        return True
    return pair.source.kernels == pair.target.kernels != ()


def _is_rough(pair: BlockPair) -> bool:
    """Whether both may be one block with other heads or biases."""
    small, large = sorted((pair.source.parameters, pair.target.parameters))
    return small >= WEIGHTS.rough_size * large


def _rests(cuts: tuple[Partition, Partition], pairs: Sequence[BlockPair]) -> BlockPair:
    """What no pair of blocks has, of both sides."""
    source_rest = _rest(cuts[0], [pair.source for pair in pairs])
    target_rest = _rest(cuts[1], [pair.target for pair in pairs])
    return BlockPair(source_rest, target_rest, True)


def _rest(partition: Partition, paired: Sequence[Block]) -> Block:
    """What belongs to no run, and what its name alone put into one.

    The latter are blocks without a counterpart that hold half of what others hold, or less.
    """
    used = {id(block) for block in paired}
    counts = sorted(len(block.leaves) for block in paired)
    most = counts[len(counts) // 2] // 2 if counts else 0
    blocks = [block for track in partition.tracks.values() for block in track if id(block) not in used]
    lone = [leaf for block in blocks if len(block.leaves) <= most for leaf in block.leaves]
    return replace(partition.rest, leaves=(*lone, *partition.rest.leaves))
