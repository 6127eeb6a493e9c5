"""A model as some dozens of blocks, each in one stage: what lies between two cut layers, named and folded.

Where a file keeps no data flow, blocks are what shares a numbered prefix of its names.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from weightbridge.model.vocabulary import AFFINE, ELEMENTWISE_MERGES, NORMS
from weightbridge.views.by_name import named_groups, telling
from weightbridge.views.cuts import depth_first, flowing, segments
from weightbridge.views.numbered import prefixes, ranged, shared
from weightbridge.views.repeats import folded

Json = Mapping[str, Any]
LARGE = 24  # layers with weights between two cuts
STAGES = 2  # that a block may have to do with
MANY, MOST = 32, 40  # blocks, before repeats are folded and at last
CHAINED = 3  # layers that follow each other become one block, where blocks are many
DEEPEST = 5  # numbers in a name
LIGHT = NORMS | AFFINE
JOINING = ELEMENTWISE_MERGES | {"Concat"}


@dataclass(frozen=True, slots=True)
class Block:
    """layers: by their places in the graph. stage: `1/8`, or nothing. repeats: blocks that it stands for.

    ends: the names of the first and the last of these.
    """

    ends: tuple[str, str]
    layers: tuple[int, ...]
    stage: str
    repeats: int = 1

    @property
    def name(self) -> str:
        return ranged(self.ends)


@dataclass(frozen=True, slots=True)
class Known:
    """What decides about blocks, by the layers' places.

    units: those with weights of their own, no norms and factors; alike: what is equal in layers that fold;
    is_finer: those that make the grid finer.
    """

    names: Sequence[str]
    ops: Sequence[str]
    units: Sequence[bool]
    stages: Sequence[str]
    alike: Sequence[Hashable]
    is_finer: Sequence[bool]


def blocks(
    graph: Json, stages: Mapping[str, str], marks: Mapping[int, Hashable] | None = None
) -> tuple[Block, ...]:
    """In the order of data flow, at most 40.

    marks: what keeps layers from folding with others, such as that one differs.
    """
    known = _known(graph, stages, marks or {})
    pieces = _pieces(graph, known) if graph["has_flow"] else _single(graph, known)
    best = _best(pieces, known, has_flow=graph["has_flow"])
    if len(best) > MANY:
        best = _folded(_chained(best, known), known)
    return tuple(_fewer(best))


def joined(parts: Sequence[Block]) -> Block:
    """Neighbours as one block, at the stage of the last."""
    first, last = parts[0], parts[-1]
    layers = tuple(i for part in parts for i in part.layers)
    return Block((first.ends[0], last.ends[1]), layers, last.stage, sum(part.repeats for part in parts))


def _known(graph: Json, stages: Mapping[str, str], marks: Mapping[int, Hashable]) -> Known:
    layers = graph["layers"]
    units = [bool(layer[3]) and layer[1] not in LIGHT for layer in layers]
    if not any(units):
        units = [bool(layer[3]) for layer in layers]
    return Known(
        names=[layer[0] for layer in layers],
        ops=[layer[1] for layer in layers],
        units=units if any(units) else [True] * len(layers),
        stages=[stages.get(layer[0], "") for layer in layers],
        alike=[(layer[1], str(layer[2]), len(layer[3]), marks.get(i)) for i, layer in enumerate(layers)],
        is_finer=[layer[4] < 1 for layer in layers],
    )


def _single(graph: Json, known: Known) -> list[Block]:
    """A block for each layer with tensors."""
    held = [i for i, layer in enumerate(graph["layers"]) if layer[3]]
    return [Block((known.names[i],) * 2, (i,), known.stages[i]) for i in held]


def _pieces(graph: Json, known: Known) -> list[Block]:
    """What lies between two cuts; what has no weights there joins its neighbour."""
    count = len(known.names)
    edges = flowing(count, [(a, b) for a, b in graph["edges"]], known.units)
    order = depth_first(count, edges)
    found: list[Block] = []
    before: tuple[int, ...] = ()
    for run in segments(order, edges, lambda run: _is_large(run, known)):
        if any(known.units[i] for i in run):
            found.append(_piece(before, run, known))
            before = ()
        elif found:
            found[-1] = replace(found[-1], layers=(*found[-1].layers, *run))
        else:
            before = (*before, *run)
    return found


def _is_large(run: Sequence[int], known: Known) -> bool:
    """More than a block of any known network: in layers, or in stages."""
    units = [i for i in run if known.units[i]]
    stages = {known.stages[i] for i in units if known.stages[i]}
    goes_back = len(stages) > 1 and any(known.is_finer[i] for i in run)
    return len(units) > LARGE or len(stages) > STAGES or goes_back


def _piece(before: tuple[int, ...], run: tuple[int, ...], known: Known) -> Block:
    """Its stage is that of its last layer with weights, or of what joins its branches."""
    units = [i for i in run if known.units[i]]
    joins = [i for i in run if known.ops[i] in JOINING and not any(known.is_finer[j] for j in run)]
    ending = max((units[-1], *joins[-1:]), key=run.index)
    ends = _ends([known.names[i] for i in units], known.names[ending] if ending != units[-1] else "")
    return Block(ends, (*before, *run), known.stages[ending])


def _ends(names: Sequence[str], join: str) -> tuple[str, str]:
    """What a piece is called by: its prefix, the layer that joins its branches, or its first and last."""
    if len(names) == 1:
        return names[0], names[0]
    name = shared(names) or join
    return (name, name) if name else (names[0], names[-1])


def _best(pieces: list[Block], known: Known, *, has_flow: bool) -> list[Block]:
    """Pieces joined by as many numbers of their names as give most blocks, but not too many."""
    numbers = telling([prefixes(name) for name in known.names])
    deepest = max((len(numbers[i]) for piece in pieces for i in piece.layers), default=0)
    options = [
        _few(_by_name(pieces, known, numbers, depth, has_flow=has_flow), known)
        for depth in range(min(deepest, 1), min(deepest, DEEPEST) + 1)
    ]
    fitting = [option for option in options if len(option) <= MANY]
    return max(fitting, key=len) if fitting else min(options, key=len)


def _few(found: list[Block], known: Known) -> list[Block]:
    return found if len(found) <= MANY else _folded(found, known)


def _by_name(
    pieces: list[Block], known: Known, numbers: Sequence[Sequence[str]], depth: int, *, has_flow: bool
) -> list[Block]:
    """Neighbours, or without data flow all, whose layers share the prefix with so many numbers."""
    groups = _runs(pieces, known, numbers, depth) if has_flow else _groups(pieces, known, numbers, depth)
    return [_called(key, [pieces[i] for i in places]) for key, places in groups]


def _groups(
    pieces: list[Block], known: Known, numbers: Sequence[Sequence[str]], depth: int
) -> list[tuple[str, list[int]]]:
    layers = [piece.layers[0] for piece in pieces]
    return named_groups([known.names[i] for i in layers], [numbers[i][:depth] for i in layers])


def _runs(
    pieces: list[Block], known: Known, numbers: Sequence[Sequence[str]], depth: int
) -> list[tuple[str, list[int]]]:
    """Neighbours with one key; what has none stays alone."""
    keys = [_key(piece, known, numbers, depth) for piece in pieces]
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
