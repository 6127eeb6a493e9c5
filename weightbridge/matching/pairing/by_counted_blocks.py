"""Blocks that one counter numbers over all stages (`block_3_expand`), where one side has more of them.

A block that is added in the middle moves the numbers of all behind it: equal names then join blocks of other
widths. Where the blocks in their order agree more often than by their numbers, the order decides.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence

from weightbridge.matching.confidence import IN_ORDER
from weightbridge.matching.context import Context, key
from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.sequences.alignment import align
from weightbridge.matching.units.units import Unit
from weightbridge.matching.values import LayerPair

COUNTED = re.compile(r"(\D+)(\d+)(|\D.*)")  # what is before the first number, the number, what is behind it
LEAST = 3  # blocks of a side, below which an order says little

Block = Mapping[str, Unit]  # by what is behind the number
Blocks = Mapping[int, Block]


def by_counted_blocks(context: Context) -> tuple[LayerPair, ...]:
    """Pairs of blocks of equal kinds, sizes, strides and inner names; nothing where numbers say as much."""
    ours, theirs = _blocks(context.open_target()), _blocks(context.open_source())
    both = ((blocks, theirs[prefix]) for prefix, blocks in ours.items() if prefix in theirs)
    moved = ((mine, other, numbers) for mine, other in both if (numbers := _moved(mine, other)))
    return tuple(pair for mine, other, numbers in moved for pair in _pairs(mine, other, numbers))


def _blocks(units: Sequence[Unit]) -> dict[str, Blocks]:
    """By the words before the counter; layers of other kinds of names are no part of it."""
    found: dict[str, dict[int, dict[str, Unit]]] = defaultdict(lambda: defaultdict(dict))
    for unit in units:
        counted = COUNTED.fullmatch(unit.name)
        if unit.has_weights and counted is not None and not is_automatic(unit.name):
            found[counted[1]][int(counted[2])][counted[3]] = unit
    return {prefix: dict(sorted(blocks.items())) for prefix, blocks in found.items() if len(blocks) >= LEAST}


def _moved(ours: Blocks, theirs: Blocks) -> list[tuple[int, int]]:
    """(number of ours, number of theirs) by the order, where more blocks agree so than by their numbers."""
    mine, other = ({n: _signature(block) for n, block in side.items()} for side in (ours, theirs))
    if len(mine) == len(other):
        return []
    numbers: dict[Hashable, str] = {}
    keys = [[numbers.setdefault(one, str(len(numbers))) for one in side.values()] for side in (other, mine)]
    places = align(keys[0], keys[1])
    by_number = sum(mine[n] == other[n] for n in mine.keys() & other.keys())
    if len(places) <= by_number:
        return []
    return [([*mine][j], [*other][i]) for i, j in places]


def _signature(block: Block) -> Hashable:
    """Strides too: a stage may begin with a block of the sizes of those behind it."""
    return frozenset(
        (name, key(unit), repr(unit.layer.attributes.get("strides"))) for name, unit in block.items()
    )


def _pairs(ours: Blocks, theirs: Blocks, numbers: Sequence[tuple[int, int]]) -> Iterator[LayerPair]:
    for mine, other in numbers:
        for name, unit in ours[mine].items():
            yield LayerPair(theirs[other][name].name, unit.name, IN_ORDER, ("name", "order", "shape"))
