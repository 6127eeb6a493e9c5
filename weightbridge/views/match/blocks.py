"""A model as some dozens of blocks, each in one stage: what lies between two cut layers, named and folded.

Where a file keeps no data flow, blocks are what shares a numbered prefix of its names.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from weightbridge.views.match.by_name import named_groups, telling
from weightbridge.views.match.numbered import prefixes
from weightbridge.views.match.pieces import Block, Known, joined, known_of, pieces
from weightbridge.views.match.repeats import folded

Json = Mapping[str, Any]
MANY, MOST = 32, 40  # blocks, before repeats are folded and at last
CHAINED = 3  # layers that follow each other become one block, where blocks are many
ALONE = 2 / 3  # of layers with names of their own, where names tell nothing
DEEPEST = 5  # numbers in a name


def blocks(
    graph: Json,
    stages: Mapping[str, str],
    marks: Mapping[int, Hashable] | None = None,
    beside: Mapping[int, int] | None = None,
) -> tuple[Block, ...]:
    """In the order of data flow, at most 40.

    marks: what keeps layers from folding with others, such as that one differs.
    beside: the block of another model that a layer goes with, for files whose names tell of no blocks.
    """
    known = known_of(graph, stages, marks or {})
    finest = pieces(graph, known)
    best = _best(finest, known, has_flow=graph["has_flow"])
    if beside and not graph["has_flow"] and _is_untold(finest, known):
        best = _together(finest, beside)
    if len(best) > MANY:
        best = _folded(_chained(best, known), known)
    return tuple(_fewer(best))


def _best(finest: list[Block], known: Known, *, has_flow: bool) -> list[Block]:
    """Pieces joined by as many numbers of their names as give most blocks, but not too many."""
    numbers = telling([prefixes(name) for name in known.names])
    deepest = max((len(numbers[i]) for piece in finest for i in piece.layers), default=0)
    options = [
        _few(_by_name(finest, known, numbers, depth, has_flow=has_flow), known)
        for depth in range(min(deepest, 1), min(deepest, DEEPEST) + 1)
    ]
    fitting = [option for option in options if len(option) <= MANY]
    return max(fitting, key=len) if fitting else min(options, key=len)


def _few(found: list[Block], known: Known) -> list[Block]:
    return found if len(found) <= MANY else _folded(found, known)


def _by_name(
    finest: list[Block], known: Known, numbers: Sequence[Sequence[str]], depth: int, *, has_flow: bool
) -> list[Block]:
    """Neighbours, or without data flow all, whose layers share the prefix with so many numbers."""
    groups = _runs(finest, known, numbers, depth) if has_flow else _groups(finest, known, numbers, depth)
    return [_called(key, [finest[i] for i in places]) for key, places in groups]


def _groups(
    finest: list[Block], known: Known, numbers: Sequence[Sequence[str]], depth: int
) -> list[tuple[str, list[int]]]:
    layers = [piece.layers[0] for piece in finest]
    return named_groups([known.names[i] for i in layers], [numbers[i][:depth] for i in layers])


def _runs(
    finest: list[Block], known: Known, numbers: Sequence[Sequence[str]], depth: int
) -> list[tuple[str, list[int]]]:
    """Neighbours with one key; what has none stays alone."""
    keys = [_key(piece, known, numbers, depth) for piece in finest]
    runs = groupby(range(len(keys)), key=lambda i: keys[i] or i)
    return [(str(key), list(places)) for key, places in runs]


def _key(piece: Block, known: Known, numbers: Sequence[Sequence[str]], depth: int) -> str:
    keys = {"".join(numbers[i][:depth][-1:]) for i in piece.layers if known.units[i]}
    return keys.pop() if len(keys) == 1 else ""


def _called(key: str, parts: Sequence[Block]) -> Block:
    return parts[0] if len(parts) == 1 else replace(joined(parts), ends=(key, key), repeats=1)


def _chained(found: list[Block], known: Known) -> list[Block]:
    """Single layers that follow each other, three by three."""
    chained: list[Block] = []
    for (is_single, _), group in groupby(found, key=lambda block: (_units(block, known) == 1, block.stage)):
        run = list(group)
        size = CHAINED if is_single else 1
        chained += [joined(run[i : i + size]) for i in range(0, len(run), size)]
    return chained


def _is_untold(finest: list[Block], known: Known) -> bool:
    """Whether names put hardly any layers together."""
    groups = _groups(finest, known, [prefixes(name)[:1] for name in known.names], 1)
    return len(finest) > MANY and len(groups) > len(finest) * ALONE


def _together(finest: list[Block], beside: Mapping[int, int]) -> list[Block]:
    """Layers that go with one block of the other model, and those that go with none."""
    groups: dict[int, list[Block]] = {}
    for piece in finest:
        groups.setdefault(beside.get(piece.layers[0], -1), []).append(piece)
    return [replace(joined(groups[key]), repeats=1) for key in sorted(groups)]


def _units(block: Block, known: Known) -> int:
    return sum(known.units[i] for i in block.layers)


def _folded(found: list[Block], known: Known) -> list[Block]:
    signatures = [_signature(block, known) for block in found]
    return [joined([found[i] for i in places]) for places in folded(signatures)]


def _signature(block: Block, known: Known) -> Hashable:
    return block.stage, tuple(known.alike[i] for i in block.layers if known.units[i])


def _fewer(found: list[Block]) -> list[Block]:
    """Never more than can be looked at: neighbours of one stage become one, at last of several stages."""
    for is_staged in (True, False):
        if len(found) > MOST:
            size = -(-len(found) // MOST) + is_staged
            found = list(_by_size(found, size, is_staged=is_staged))
    return found


def _by_size(found: list[Block], size: int, *, is_staged: bool) -> Iterable[Block]:
    for _, group in groupby(found, key=lambda block: block.stage if is_staged else ""):
        run = list(group)
        yield from (joined(run[i : i + size]) for i in range(0, len(run), size))
