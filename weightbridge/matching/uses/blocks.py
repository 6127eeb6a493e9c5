"""Blocks: the repeated parts of a model, by the numbers in its names.

`encoder.layer.0.query`, `encoder.layer.1.query` -> blocks 0 and 1 of the track `encoder.layer`.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from weightbridge.boundary.records import dataclass
from weightbridge.matching.uses.leaves import Leaf

Words = tuple[str, ...]
LEVELS = 3
ALIKE = 0.5  # share of the names inside that two neighbours of one run have in common
Place = tuple[int, int, int]  # length of the prefix, start of what is inside, number
Key = tuple[Words, tuple[int, ...]]  # the words that name a block, and its numbers


@dataclass(frozen=True)
class Block:
    """The leaves under one numbered scope.

    track: the words before the outermost number; place: the numbers. start: how many of the leaves' words
    name the scope; 0 for what belongs to no run. first: the place of its first leaf in the model.
    """

    track: Words
    place: tuple[int, ...]
    start: int
    leaves: tuple[Leaf, ...]
    first: int = 0

    @cached_property
    def parameters(self) -> int:
        return sum(leaf.parameters for leaf in self.leaves)

    @cached_property
    def kernels(self) -> tuple[int, ...]:
        """The sizes of its matrices and kernels: equal where only one side has biases."""
        return tuple(sorted(leaf.size for leaf in self.leaves if leaf.kind in ("conv", "matrix")))

    @cached_property
    def inner(self) -> tuple[Words, ...]:
        """The names inside, in the order of the leaves."""
        return tuple(
            _without_echo(leaf.words[: self.start], leaf.words[self.start :]) for leaf in self.leaves
        )


@dataclass(frozen=True)
class Partition:
    """One way of cutting a model: its blocks in order, by track, and what belongs to no run as one block."""

    tracks: Mapping[Words, tuple[Block, ...]]
    rest: Block


def _without_echo(scope: Words, inner: Words) -> Words:
    """Without the block's own name, where the names inside begin with it again (`block_4/block_4_conv`)."""
    longest = min(len(scope), len(inner) - 1)
    lengths = [n for n in range(longest, 1, -1) if inner[:n] == scope[-n:]]
    echo = lengths[0] if lengths else 0
    return inner[echo:] if any(word.isdigit() for word in inner[:echo]) else inner


def partitions(leaves: Sequence[Leaf]) -> tuple[Partition, ...]:
    """The ways of cutting a model into blocks: at the outermost numbers, at the next ones, ..."""
    runs = _runs(leaves)
    places = [_places(leaf.words, runs) for leaf in leaves]
    deepest = min(max((len(p) for p in places), default=0), LEVELS)
    return tuple(_partition(leaves, places, level) for level in range(1, deepest + 1))


def one_track(partition: Partition) -> Partition:
    """The same blocks as one sequence, by where they begin.

    Runs may take turns (`conv_dw_1`, `conv_pw_1`, `conv_dw_2`, ...).
    """
    blocks = [block for track in partition.tracks.values() for block in track]
    blocks.sort(key=lambda block: block.first)
    return Partition({(): tuple(blocks)} if blocks else {}, partition.rest)


def _runs(leaves: Sequence[Leaf]) -> Mapping[Words, bool]:
    """Prefix of a run -> whether its numbers leave out 0 because the first block bears no number."""
    runs = {}
    for prefix, members in _numbered(leaves).items():
        blocks = {number: {_unnumbered(inner) for inner in inners} for number, inners in members.items()}
        count = sum(map(len, members.values()))
        if _is_run(list(blocks.values()), count) or _is_second(leaves, prefix, blocks, count):
            runs[prefix] = "0" not in blocks and _has_first(leaves, prefix, blocks)
    return runs


def _numbered(leaves: Sequence[Leaf]) -> dict[Words, dict[str, list[Words]]]:
    """Prefix -> number behind it -> the words of each leaf behind that number."""
    members: dict[Words, dict[str, list[Words]]] = {}
    for leaf in leaves:
        for place, word in enumerate(leaf.words):
            if word.isdigit():
                blocks = members.setdefault(leaf.words[:place], {})
                blocks.setdefault(word, []).append(leaf.words[place + 1 :])
    return members


def _unnumbered(path: Words) -> Words:
    """Without numbers: some writers count parts through the whole model (`layer_1/moe_block_1`)."""
    return tuple(w for w in path if not w.isdigit())


def _is_run(blocks: Sequence[set[Words]], count: int) -> bool:
    """Two or more alike, of two or more leaves each; two kinds may take turns."""
    if len(blocks) < 2 or count < 2 * len(blocks):
        return False
    shares = []
    for i in range(1, len(blocks)):
        two_before = blocks[max(i - 2, 0) : i]
        shares.append(max(_shared(blocks[i], names) for names in two_before))
    return sum(shares) >= ALIKE * len(shares)


def _shared(a: set[Words], b: set[Words]) -> float:
    return len(a & b) / max(min(len(a), len(b)), 1)


def _is_second(leaves: Iterable[Leaf], prefix: Words, blocks: Mapping[str, set[Words]], count: int) -> bool:
    """Whether the only numbered block repeats, name by name, one without a number (`stage`, `stage_1`)."""
    if list(blocks) != ["1"] or count < 2:
        return False
    inners = [leaf.words[len(prefix) :] for leaf in leaves if leaf.words[: len(prefix)] == prefix]
    return {_unnumbered(inner) for inner in inners if inner[:1] != ("1",)} == blocks["1"]


def _has_first(leaves: Iterable[Leaf], prefix: Words, blocks: Mapping[str, set[Words]]) -> bool:
    """Whether a leaf with this prefix and no number repeats one of the blocks'."""
    known = set.union(*blocks.values())
    inners = (leaf.words[len(prefix) :] for leaf in leaves if leaf.words[: len(prefix)] == prefix)
    return any(_unnumbered(inner) in known for inner in inners)


def _places(path: Words, runs: Mapping[Words, bool]) -> list[Place]:
    """The place in each run that the path passes, outermost first."""
    places = []
    for length, word in enumerate(path):
        prefix = path[:length]
        if prefix not in runs:
            continue
        if word.isdigit():
            places.append((length, length + 1, int(word)))
        elif runs[prefix]:
            places.append((length, length, 0))
    return places


def _partition(leaves: Sequence[Leaf], places: Sequence[list[Place]], level: int) -> Partition:
    """The blocks of the outermost `level` numbers."""
    members: dict[Key, list[int]] = {}
    tracks: dict[Words, dict[Key, int]] = {}  # track -> block -> start of what is inside
    rest = []
    for i, (leaf, passed) in enumerate(zip(leaves, places, strict=True)):
        if not passed:
            rest.append(leaf)
            continue
        used = passed[:level]
        prefix, start, _ = used[-1]
        key = leaf.words[:prefix], tuple(number for *_, number in used)
        members.setdefault(key, []).append(i)
        tracks.setdefault(leaf.words[: used[0][0]], {})[key] = start
    blocks_of_tracks = {}
    for track, starts in tracks.items():
        keys = sorted(starts, key=lambda key: (key[1], key[0]))
        blocks_of_tracks[track] = tuple(_block(track, key, starts[key], members[key], leaves) for key in keys)
    return Partition(blocks_of_tracks, Block((), (), 0, tuple(rest)))


def _block(track: Words, key: Key, start: int, members: Sequence[int], leaves: Sequence[Leaf]) -> Block:
    own = tuple(leaves[i] for i in members)
    return Block(track, key[1], start, own, members[0])
