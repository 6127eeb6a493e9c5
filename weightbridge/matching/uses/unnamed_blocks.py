"""Blocks of attention that names do not tell: `norm1_0`, `linear1_0` by their last number, automatic names by
flow.

Their leaves get words that say the block, so that blocks are paired before layers are.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.uses.blocks import partitions
from weightbridge.matching.uses.leaves import Leaf
from weightbridge.model.graph import LayerGraph
from weightbridge.rules.names import function_of
from weightbridge.rules.words import words

LAST_NUMBER = re.compile(r"(.*[^_\d]\d*)_(\d+)$")
COUNTER = re.compile(r"_\d+$")
FEWEST = 3  # kinds of layers that share the numbers of a run
BLOCK = "block"
Words = tuple[str, ...]


def with_blocks(leaves: Sequence[Leaf], other: Sequence[Leaf], graph: LayerGraph) -> list[Leaf]:
    """The leaves, with the blocks in their words where the other side has as many blocks in a run."""
    attending = [i for i, leaf in enumerate(leaves) if _function(leaf) == "query"]
    if len(attending) < 2 or len(attending) not in _lengths_of_runs(other):
        return list(leaves)
    told = _by_last_number(leaves, len(attending))
    if not told and graph.has_flow and _are_automatic(leaves):
        told = _by_flow(leaves, attending, graph)
    return [replace(leaf, words=told.get(i, leaf.words)) for i, leaf in enumerate(leaves)]


def _function(leaf: Leaf) -> str:
    return function_of(leaf.words, leaf.kind)


def _lengths_of_runs(leaves: Sequence[Leaf]) -> set[int]:
    return {len(blocks) for cut in partitions(leaves)[:1] for blocks in cut.tracks.values()}


def _are_automatic(leaves: Sequence[Leaf]) -> bool:
    """Whether most layers bear a framework's counter and no more."""
    tops = [leaf.name.partition("/")[0] for leaf in leaves]
    return 2 * sum(map(is_automatic, tops)) > len(tops)


def _by_last_number(leaves: Sequence[Leaf], count: int) -> dict[int, Words]:
    """`attn_0/query`, `norm1_0`: where several kinds of layers are numbered through alike."""
    numbers: dict[str, set[int]] = {}
    told: dict[str, dict[int, Words]] = {}
    for i, leaf in enumerate(leaves):
        top, _, rest = leaf.name.partition("/")
        match = LAST_NUMBER.match(top)
        if match and not is_automatic(top):
            base, number = match[1], match[2]
            numbers.setdefault(base, set()).add(int(number))
            told.setdefault(base, {})[i] = (BLOCK, number, *words(base), *words(rest))
    runs = [told[base] for base, own in numbers.items() if _counts_through(own, count)]
    if len(runs) < FEWEST:
        return {}
    return {i: path for run in runs for i, path in run.items()}


def _counts_through(numbers: set[int], count: int) -> bool:
    """Whether these are as many numbers in a row."""
    first = min(numbers)
    return numbers == set(range(first, first + count))


def _by_flow(leaves: Sequence[Leaf], attending: Sequence[int], graph: LayerGraph) -> dict[int, Words]:
    """The words of a model that repeats itself from attention to attention; {} where it does not."""
    length = attending[1] - attending[0]
    starts = [start for start in _starts(leaves, attending, length) if _may_begin(leaves, start, graph)]
    if len(starts) != 1:
        return {}
    told: dict[int, Words] = {}
    for number in range(len(attending)):
        begin = starts[0] + number * length
        told |= _words_inside(leaves, range(begin, begin + length), str(number))
    return told


def _starts(leaves: Sequence[Leaf], attending: Sequence[int], length: int) -> Iterator[int]:
    """Where a run of equal blocks may begin, one attention in each."""
    count = len(attending)
    signs = [_sign(leaf) for leaf in leaves]
    for start in range(max(attending[0] - length + 1, 0), attending[0] + 1):
        blocks = [signs[start + n * length : start + (n + 1) * length] for n in range(count)]
        if all(block == blocks[0] and len(block) == length for block in blocks):
            yield start


def _sign(leaf: Leaf) -> tuple[object, ...]:
    """Equal for leaves at the same place of two blocks; a counter (`dense_1`) names no function."""
    function = _function(leaf) if "/" in leaf.name else ""
    return leaf.layer.op, leaf.kind, leaf.main.shape, function


def _may_begin(leaves: Sequence[Leaf], start: int, graph: LayerGraph) -> bool:
    """Not inside a layer; a norm that feeds attention alone stands at the beginning of its block."""
    before = leaves[start - 1] if start else None
    if before is not None and _top(before) == _top(leaves[start]):
        return False
    if leaves[start].kind == "norm":
        return _feeds_one(leaves[start], graph)
    return before is None or before.kind != "norm" or not _feeds_one(before, graph)


def _top(leaf: Leaf) -> str:
    return leaf.name.partition("/")[0]


def _feeds_one(leaf: Leaf, graph: LayerGraph) -> bool:
    """Whether a layer feeds one other alone, its parts counted as that one."""
    return len({name.partition("/")[0] for name in graph.children.get(leaf.layer.name, ())}) == 1


def _words_inside(leaves: Sequence[Leaf], places: range, number: str) -> Mapping[int, Words]:
    """`dense_7` -> block 3 dense 1: which of its class it is in the block."""
    order: dict[str, list[str]] = {}
    told = {}
    for i in places:
        top, _, rest = leaves[i].name.partition("/")
        base = COUNTER.sub("", top)
        tops = order.setdefault(base, [])
        if top not in tops:
            tops.append(top)
        told[i] = (BLOCK, number, *words(base), str(tops.index(top) + 1), *words(rest))
    return told
