"""The user's map over whole blocks: an attention, a wrapper or a nested model, matched by itself.

`--map enc.layers.0.self_attn=multi_head_attention` joins all that is in the two, and nothing else with them.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from weightbridge.boundary.globs import mapped
from weightbridge.boundary.records import dataclass
from weightbridge.matching.context import Context, is_compatible
from weightbridge.matching.pairing.by_map import Map
from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.matching.values import LayerPair, Match
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.scopes import is_inside, layers_inside, names_of

OUTSIDE = "(outside)"  # what stands for all that feeds a block
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Inside:
    """What two blocks of the map have in common: pairs of units, and matches of other tensors."""

    pairs: tuple[LayerPair, ...] = ()
    matches: tuple[Match, ...] = ()


MatchInside = Callable[[LayerGraph, LayerGraph, Map], Inside]


def inside_mapped(context: Context, match_inside: MatchInside) -> Inside:
    """The pairs and matches inside all pairs of blocks of the map, outer blocks with the maps inside them."""
    said = _said(context.source.graph, context.target.graph, context.user_map)
    found = [_inside(context, block, said, match_inside) for block in _outer_blocks(context, said)]
    pairs = [replace(pair, evidence=_by_map(pair.evidence)) for inside in found for pair in inside.pairs]
    matches = [replace(m, evidence=_by_map(m.evidence)) for inside in found for m in inside.matches]
    return _within_units(context, pairs, matches)


def _outer_blocks(context: Context, said: Sequence[Pair]) -> list[Pair]:
    """The pairs of blocks that stand in no other pair of blocks."""
    blocks = [s for s in said if _is_block(context.source, s[0]) or _is_block(context.target, s[1])]
    return [block for block in blocks if not any(_is_within(block, outer) for outer in blocks)]


def _inside(context: Context, block: Pair, said: Sequence[Pair], match_inside: MatchInside) -> Inside:
    within = [pair for pair in said if _is_within(pair, block)]
    named = _equal_names(context.source, context.target, block, dict(within))
    parts = part_of(context.source.graph, block[0]), part_of(context.target.graph, block[1])
    return match_inside(*parts, (*within, *named))


def part_of(graph: LayerGraph, block: str) -> LayerGraph:
    """The layers of a block, with those that stand between them, as a graph; what feeds it is one input."""
    inside = {layer.name for layer in layers_inside(graph, block)}
    inside |= _between(graph, inside)
    edges = [
        edge for edge in graph.edges if edge.target in inside and (graph.has_flow or edge.source in inside)
    ]
    fed = [edge if edge.source in inside else replace(edge, source=OUTSIDE, port=0) for edge in edges]
    read = {edge.source for edge in graph.edges if edge.target not in inside} | set(graph.outputs)
    layers = tuple(layer for layer in graph.layers if layer.name in inside)
    return replace(
        graph,
        layers=(Layer(OUTSIDE, "Input"), *layers) if graph.has_flow else layers,
        edges=tuple(fed),
        inputs=(OUTSIDE,) if graph.has_flow else (),
        outputs=tuple(layer.name for layer in layers if layer.name in read),
        output_ports=(),
        excluded=(),
        findings=(),
        effective=None,
    )


def _said(source: LayerGraph, target: LayerGraph, user_map: Map) -> list[Pair]:
    """All pairs of names that the map joins and both sides have."""
    theirs, ours = names_of(source), frozenset(names_of(target))
    pairs = (pair for left, right in user_map for pair in mapped(left, right, theirs))
    return [pair for pair in dict.fromkeys(pairs) if pair[1] in ours]


def _is_block(side: Reduced, name: str) -> bool:
    """Whether a name means more than one unit: what has layers of its own, or is kept as several units."""
    if name in side.graph.owner:
        return False
    return name in side.scopes or name not in side.by_name


def _is_within(pair: Pair, block: Pair) -> bool:
    """Whether both names are inside those of the block, and no more than it."""
    return pair != block and all(map(is_inside, pair, block))


def _equal_names(source: Reduced, target: Reduced, block: Pair, said: Mapping[str, str]) -> Iterator[Pair]:
    """Units that have one name inside their blocks, which a person gave."""
    theirs, ours = _named_inside(source, block[0]), _named_inside(target, block[1])
    for name, unit in theirs.items():
        other = ours.get(name)
        if other and unit.name not in said and is_compatible(unit, other):
            yield unit.name, other.name


def _named_inside(side: Reduced, block: str) -> dict[str, Unit]:
    """The units inside a block by their names there, without a framework's counters."""
    units = {
        _relative(u.name, block): u for u in side.weighted if is_inside(u.name, block) and u.name != block
    }
    return {name: unit for name, unit in units.items() if not is_automatic(name.rpartition(".")[2])}


def _relative(name: str, block: str) -> str:
    return name[len(block) + 1 :].replace("/", ".")


def _between(graph: LayerGraph, inside: Collection[str]) -> set[str]:
    """Layers without tensors that stand between those of a block, whatever their names are."""
    return _reached(graph, inside, graph.children) & _reached(graph, inside, graph.parents)


def _reached(
    graph: LayerGraph, inside: Collection[str], neighbours: Mapping[str, tuple[str, ...]]
) -> set[str]:
    reached: set[str] = set()
    waiting = [name for own in inside for name in neighbours[own]]
    while waiting:
        name = waiting.pop()
        if name not in reached and name not in inside and not graph.by_name[name].tensors:
            reached.add(name)
            waiting += neighbours[name]
    return reached


def _by_map(evidence: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(("map", *evidence)))


def _within_units(context: Context, pairs: list[LayerPair], matches: list[Match]) -> Inside:
    """The pairs of units that both whole models have too, and the matches that these do not give."""
    sides = context.source.by_name, context.target.by_name
    known = tuple(pair for pair in pairs if pair.source in sides[0] and pair.target in sides[1])
    given = {tensor.name for pair in known for _, tensor in context.target.by_name[pair.target].tensors}
    return Inside(known, tuple(match for match in matches if match.target not in given))
