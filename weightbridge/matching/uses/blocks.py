"""Blocks: the repeated parts of a model, found by the numbers in its names; and which blocks of two models
correspond.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from weightbridge.matching.uses.leaves import Leaf

Words = tuple[str, ...]
LEVELS = 3
ALIKE = 0.5  # share of the names inside that two neighbours of one run have in common


@dataclass(frozen=True)
class Block:
    """The leaves under one numbered scope. `start`: how many of their words name the scope; 0 for what
    belongs to no run.
    """

    track: Words
    place: tuple[int, ...]
    start: int
    leaves: tuple[Leaf, ...]
    first: int = 0  # the place of its first leaf in the model

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

    @cached_property
    def signature(self) -> tuple[object, ...]:
        """Equal for blocks whose names and shapes inside are the same."""
        return tuple(
            (w, tuple((r, t.shape) for r, t in leaf.tensors))
            for w, leaf in zip(self.inner, self.leaves, strict=True)
        )


@dataclass(frozen=True)
class Partition:
    """All leaves as blocks, in order, by track: the outermost run that they belong to."""

    tracks: Mapping[Words, tuple[Block, ...]]
    rest: Block


def _without_echo(scope: Words, inner: Words) -> Words:
    """Without the block's own name, where the names inside begin with it again (`block_4/block_4_conv`)."""
    echo = next((k for k in range(min(len(scope), len(inner) - 1), 1, -1) if inner[:k] == scope[-k:]), 0)
    return inner[echo:] if any(w.isdigit() for w in inner[:echo]) else inner


def partitions(leaves: Sequence[Leaf]) -> tuple[Partition, ...]:
    """The ways of cutting a model into blocks: at the outermost numbers, at the next ones, ..."""
    runs = _runs(leaves)
    places = [_places(leaf.words, runs) for leaf in leaves]
    deepest = min(max((len(p) for p in places), default=0), LEVELS)
    return tuple(_partition(leaves, places, level) for level in range(1, deepest + 1))


def one_track(partition: Partition) -> Partition:
    """The same blocks as one sequence, by where they begin: runs that take turns (`conv_dw_1`, `conv_pw_1`,
    `conv_dw_2`, ...).
    """
    blocks = sorted(
        (block for track in partition.tracks.values() for block in track), key=lambda block: block.first
    )
    return Partition({(): tuple(blocks)} if blocks else {}, partition.rest)


def _runs(leaves: Sequence[Leaf]) -> Mapping[Words, bool]:
    """Prefix -> whether its numbers leave out 0 because the first block bears no number."""
    inside: dict[Words, dict[str, set[Words]]] = {}
    counts: Counter[Words] = Counter()
    for leaf in leaves:
        for p, word in enumerate(leaf.words):
            if word.isdigit():
                counts[leaf.words[:p]] += 1
                inside.setdefault(leaf.words[:p], {}).setdefault(word, set()).add(
                    _unnumbered(leaf.words[p + 1 :])
                )
    alike = {
        p
        for p, blocks in inside.items()
        if _is_run(list(blocks.values()), counts[p]) or _is_second(leaves, p, blocks, counts[p])
    }
    found = {prefix: "0" not in blocks for prefix, blocks in inside.items() if prefix in alike}
    return {prefix: lacks and _has_first(leaves, prefix, inside[prefix]) for prefix, lacks in found.items()}


def _unnumbered(path: Words) -> Words:
    """Without numbers: some writers number the parts of a block throughout the model (`layer_1/moe_block_1`)."""
    return tuple(w for w in path if not w.isdigit())


def _is_run(blocks: Sequence[set[Words]], count: int) -> bool:
    """Two or more alike, of two or more leaves each; two kinds may take turns."""
    if len(blocks) < 2 or count < 2 * len(blocks):
        return False
    shares = [max(_shared(b, a) for a in blocks[max(i - 2, 0) : i]) for i, b in enumerate(blocks) if i]
    return sum(shares) >= ALIKE * len(shares)


def _shared(a: set[Words], b: set[Words]) -> float:
    return len(a & b) / max(min(len(a), len(b)), 1)


def _is_second(leaves: Iterable[Leaf], prefix: Words, blocks: Mapping[str, set[Words]], count: int) -> bool:
    """Whether the only numbered block repeats, name by name, one without a number (`stage`, `stage_1`)."""
    if list(blocks) != ["1"] or count < 2:
        return False
    n = len(prefix)
    first = {
        _unnumbered(leaf.words[n:])
        for leaf in leaves
        if leaf.words[:n] == prefix and leaf.words[n : n + 1] != ("1",)
    }
    return first == blocks["1"]


def _has_first(leaves: Iterable[Leaf], prefix: Words, blocks: Mapping[str, set[Words]]) -> bool:
    known = set.union(*blocks.values())
    return any(
        leaf.words[: len(prefix)] == prefix and _unnumbered(leaf.words[len(prefix) :]) in known
        for leaf in leaves
    )


def _places(path: Words, runs: Mapping[Words, bool]) -> list[tuple[int, int, int]]:
    """(length of the prefix, start of what is inside, number) of each run that the path passes, outermost
    first.
    """
    found = []
    for p in range(len(path)):
        prefix = path[:p]
        if prefix not in runs:
            continue
        if path[p].isdigit():
            found.append((p, p + 1, int(path[p])))
        elif runs[prefix] and not path[p].isdigit():
            found.append((p, p, 0))
    return found


def _partition(leaves: Sequence[Leaf], places: Sequence[list[tuple[int, int, int]]], level: int) -> Partition:
    groups: dict[Words, dict[tuple[Words, tuple[int, ...]], list[Leaf]]] = {}
    starts: dict[tuple[Words, tuple[int, ...]], int] = {}
    rest = []
    firsts: dict[tuple[Words, tuple[int, ...]], int] = {}
    for i, (leaf, found) in enumerate(zip(leaves, places, strict=True)):
        if not found:
            rest.append(leaf)
            continue
        used = found[:level]
        key = leaf.words[: used[-1][0]], tuple(n for *_, n in used)
        starts[key] = used[-1][1]
        firsts.setdefault(key, i)
        groups.setdefault(leaf.words[: used[0][0]], {}).setdefault(key, []).append(leaf)
    tracks = {
        track: tuple(
            Block(track, key[1], starts[key], tuple(members), firsts[key])
            for key, members in sorted(blocks.items(), key=_in_order)
        )
        for track, blocks in groups.items()
    }
    return Partition(tracks, Block((), (), 0, tuple(rest)))


def _in_order(item: tuple[tuple[Words, tuple[int, ...]], object]) -> tuple[tuple[int, ...], Words]:
    return item[0][1], item[0][0]
