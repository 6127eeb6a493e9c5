"""Where a verification ends: one layer of each model, and the matched layers that lead to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weightbridge.boundary.words import did_you_mean
from weightbridge.errors import UsageError
from weightbridge.model.graph import LayerGraph

Pair = tuple[str, str]
Until = str | Pair


@dataclass(frozen=True, slots=True)
class End:
    """The last layer of both models, and the names of all source layers that lead to it."""

    source: str
    target: str
    before: frozenset[str]


def end_of(until: Until, source: LayerGraph, target: LayerGraph, pairs: Sequence[Pair]) -> End:
    """until: a layer's name in either model, or its names in both. pairs: the layers that are matched.

    Raises UsageError for a name that there is none of, and a layer without a counterpart.
    """
    ours, theirs = until if isinstance(until, tuple) else _both(until, source, target, pairs)
    for name, graph in ((ours, source), (theirs, target)):
        if name not in graph.by_name:
            raise _unknown(name, graph.by_name)
    return End(ours, theirs, _leading_to(ours, source))


def _both(name: str, source: LayerGraph, target: LayerGraph, pairs: Sequence[Pair]) -> Pair:
    if name not in source.by_name and name not in target.by_name:
        raise _unknown(name, {**source.by_name, **target.by_name})
    in_target = name if name in target.by_name else dict(pairs).get(name)
    in_source = name if name in source.by_name else {theirs: ours for ours, theirs in pairs}.get(name)
    if in_source is None or in_target is None:
        message = f"until={name!r}: nothing tells which layer of the other model this is"
        raise UsageError(message, fix="Say both names: until=(NAME IN A, NAME IN B)")
    return in_source, in_target


def _unknown(name: str, known: Mapping[str, object]) -> UsageError:
    fix = f"`weightbridge inspect` lists the layers of a model.{did_you_mean(name, known)}"
    return UsageError(f"until={name!r}: there is no such layer", fix=fix)


def _leading_to(layer: str, graph: LayerGraph) -> frozenset[str]:
    feeds: dict[str, list[str]] = {}
    for edge in graph.edges:
        feeds.setdefault(edge.target, []).append(edge.source)
    found, open_ends = {layer}, [layer]
    while open_ends:
        new = set(feeds.get(open_ends.pop(), ())) - found
        found |= new
        open_ends += new
    return frozenset(found)
