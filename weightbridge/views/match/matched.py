"""Two models as blocks, and which block of the source each of the target's starts from: a picture's data."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from weightbridge.model.vocabulary import AFFINE, NORMS
from weightbridge.plan.values import SHARE_OF
from weightbridge.report.graphs import located
from weightbridge.views.match.arranging import arranged
from weightbridge.views.match.blocks import blocks
from weightbridge.views.match.outcomes import Outcome, outcomes, worst
from weightbridge.views.match.pieces import Block, joined
from weightbridge.views.match.sides import graphs_of, owners

Json = Mapping[str, Any]
Kind = Literal["exact", "adapted", "fresh", "kept", "used", "equal", "first", "after", "idle"]
KINDS: tuple[Kind, ...] = ("exact", "adapted", "fresh", "kept", "used", "equal", "first", "after", "idle")
WORST: tuple[Kind, ...] = ("adapted", "exact", "fresh", "kept")
Pairs = Sequence[tuple[int, int]]  # of layers that a step joins
UNSAID = NORMS | AFFINE  # in what a box is made of


@dataclass(frozen=True, slots=True)
class Box:
    """A block with its tensors by what becomes of them. asked: of how many more than one source fits."""

    block: Block
    ops: tuple[tuple[str, int], ...]
    shape: tuple[int | None, ...]
    tensors: int
    shares: tuple[tuple[Kind, int], ...]
    asked: int
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Ribbon:
    """source, target: places of the boxes that it joins; steps: of this pair."""

    source: int
    target: int
    steps: int
    kind: Kind
    is_asked: bool


@dataclass(frozen=True, slots=True)
class Matched:
    """is_compared: whether colours say what a comparison found, and not what a transfer does."""

    source: tuple[Box, ...]
    target: tuple[Box, ...]
    ribbons: tuple[Ribbon, ...]
    is_compared: bool


@dataclass(frozen=True, slots=True)
class _Side:
    """One model: its graph, what becomes of its tensors, and what a comparison says of its layers."""

    graph: Json
    kinds: Mapping[str, Kind]
    asked: frozenset[str]
    outcomes: Mapping[int, Outcome]
    is_compared: bool


@dataclass(frozen=True, slots=True)
class _Join:
    """A step's way from a layer of the source to one of the target."""

    source: int
    target: int
    step: Json


def matched(report: Json) -> Matched | None:
    """None where the report has no steps."""
    if not report["steps"]:
        return None
    graphs = graphs_of(report)
    source = _side(report, "source", graphs["source"], _used(report))
    target = _side(report, "target", graphs["target"], _filled(report))
    joins = list(_joins(report, source, target))
    pairs = [(join.source, join.target) for join in joins]
    has_flow = source.graph["has_flow"], target.graph["has_flow"]
    sources, targets = arranged(_both(source, target, pairs), pairs, has_flow)
    return Matched(
        tuple(_box(block, source) for block in sources),
        tuple(_box(block, target) for block in targets),
        tuple(_ribbons(joins, sources, targets, target)),
        target.is_compared,
    )


def _side(report: Json, side: str, graph: Json, kinds: Mapping[str, Kind]) -> _Side:
    by_name = outcomes(report, side)
    named = {i: by_name[layer[0]] for i, layer in enumerate(graph["layers"]) if layer[0] in by_name}
    return _Side(graph, kinds, _asked(report), named, report["command"] == "verify")


def _asked(report: Json) -> frozenset[str]:
    """The target tensors that more than one source fits: by their steps, or by a finding."""
    told = {found["target"] for found in report["findings"] if found["code"] == "WB204"}
    steps = report["steps"]
    return frozenset(
        step["target"]
        for step in steps
        if step["runners_up"] or not told.isdisjoint((step["target"], step["layer"]))
    )


def _used(report: Json) -> dict[str, Kind]:
    return {name: "used" for step in report["steps"] for name in step["sources"]}


def _filled(report: Json) -> dict[str, Kind]:
    return {step["target"]: SHARE_OF[step["kind"]] for step in report["steps"]}


def _joins(report: Json, source: _Side, target: _Side) -> Iterator[_Join]:
    of_source, of_target = owners(source.graph), owners(target.graph)
    for step in report["steps"]:
        layers = dict.fromkeys(of_source[name] for name in step["sources"] if name in of_source)
        if step["target"] in of_target:
            yield from (_Join(layer, of_target[step["target"]], step) for layer in layers)


def _both(source: _Side, target: _Side, pairs: Pairs) -> tuple[list[Block], list[Block]]:
    """The side with data flow first: the other may follow its blocks."""
    back = [(b, a) for a, b in pairs]
    if source.graph["has_flow"]:
        sources = _blocks(source, pairs)
        return sources, _blocks(target, back, sources)
    targets = _blocks(target, back)
    return _blocks(source, pairs, targets), targets


def _blocks(side: _Side, pairs: Pairs, others: Sequence[Block] = ()) -> list[Block]:
    """Neighbours that nothing joins to the other side are one. pairs: own layers and the other side's."""
    beside = _beside(pairs, others)
    found = blocks(side.graph, located(side.graph).stages, side.outcomes, beside)
    touched = {own for own, _ in pairs}
    is_joined = [not touched.isdisjoint(block.layers) for block in found]
    runs = groupby(range(len(found)), key=lambda i: (is_joined[i] and i, found[i].stage))
    return [joined([found[i] for i in places]) for _, places in runs]


def _beside(pairs: Pairs, others: Sequence[Block]) -> dict[int, int]:
    """The block of the other side that most of a layer's steps lead to."""
    places = _places(others)
    votes: dict[int, Counter[int]] = {}
    for own, other in pairs:
        if other in places:
            votes.setdefault(own, Counter())[places[other]] += 1
    return {own: counts.most_common(1)[0][0] for own, counts in votes.items()}


def _box(block: Block, side: _Side) -> Box:
    layers = [side.graph["layers"][i] for i in block.layers]
    tensors = [name for layer in layers for name in layer[3]]
    outcome = worst([side.outcomes[i] for i in block.layers if i in side.outcomes])
    held = [layer[1] for layer in layers if layer[3] and layer[1]]
    ops = Counter([op for op in held if op not in UNSAID] or held)
    return Box(
        block=block,
        ops=tuple(ops.most_common(2)),
        shape=_shape(layers, is_grid=bool(block.stage)),
        tensors=len(tensors),
        shares=_shares(tensors, side, outcome),
        asked=len(side.asked.intersection(tensors)),
        outcome=outcome,
    )


def _shape(layers: Sequence[Sequence[Any]], *, is_grid: bool) -> tuple[int | None, ...]:
    """Of its last output; of its last grid, where it has one."""
    shapes = [layer[2] for layer in layers if layer[2]]
    grids = [shape for shape in shapes if len(shape) > 1] if is_grid else []
    return tuple((grids or shapes or [()])[-1])


def _shares(tensors: Sequence[str], side: _Side, outcome: Outcome | None) -> tuple[tuple[Kind, int], ...]:
    if side.is_compared:
        return ((outcome or "idle", len(tensors)),)
    counts = Counter(side.kinds.get(name, "idle") for name in tensors)
    return tuple((kind, counts[kind]) for kind in KINDS if counts[kind])


def _ribbons(
    joins: Iterable[_Join], sources: Sequence[Block], targets: Sequence[Block], target: _Side
) -> Iterator[Ribbon]:
    """One for each pair of blocks, in the colour of the worst of its steps."""
    of_source, of_target = _places(sources), _places(targets)
    pairs: dict[tuple[int, int], dict[str, Json]] = {}
    for join in joins:
        pair = of_source[join.source], of_target[join.target]
        pairs.setdefault(pair, {})[join.step["target"]] = join.step
    for (a, b), steps in sorted(pairs.items()):
        kinds: set[Kind] = {SHARE_OF[step["kind"]] for step in steps.values()}
        kind: Kind = next(kind for kind in WORST if kind in kinds)
        if target.is_compared:
            kind = worst([target.outcomes[i] for i in targets[b].layers if i in target.outcomes]) or "idle"
        yield Ribbon(a, b, len(steps), kind, not target.asked.isdisjoint(steps))


def _places(found: Sequence[Block]) -> dict[int, int]:
    return {layer: place for place, block in enumerate(found) for layer in block.layers}
