"""The finest blocks of a model: what lies between two cut layers, or single layers where there is no flow."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weightbridge.model.vocabulary import AFFINE, ELEMENTWISE_MERGES, NORMS
from weightbridge.views.match.cuts import depth_first, flowing, segments
from weightbridge.views.match.numbered import ranged, shared

Json = Mapping[str, Any]
LARGE = 24  # layers with weights between two cuts
STAGES = 2  # that a block may have to do with
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


def joined(parts: Sequence[Block]) -> Block:
    """Neighbours as one block, at the stage of the last."""
    first, last = parts[0], parts[-1]
    layers = tuple(i for part in parts for i in part.layers)
    return Block((first.ends[0], last.ends[1]), layers, last.stage, sum(part.repeats for part in parts))


def known_of(graph: Json, stages: Mapping[str, str], marks: Mapping[int, Hashable]) -> Known:
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


def pieces(graph: Json, known: Known) -> list[Block]:
    """In the order of data flow, or in the file's."""
    return _between_cuts(graph, known) if graph["has_flow"] else _single(graph, known)


def _single(graph: Json, known: Known) -> list[Block]:
    """A block for each layer with tensors."""
    held = [i for i, layer in enumerate(graph["layers"]) if layer[3]]
    return [Block((known.names[i],) * 2, (i,), known.stages[i]) for i in held]


def _between_cuts(graph: Json, known: Known) -> list[Block]:
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
