"""A dense layer behind a Flatten where neither file has the data flow.

Its inputs are a map whose order nothing tells for certain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isqrt, prod

from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.matching.confidence import DOUBTFUL, SYMMETRIC
from weightbridge.matching.context import Context
from weightbridge.matching.units.flattening import flattened_input, turns_map, unflattened_output
from weightbridge.matching.uses.leaves import Leaf, leaves_of
from weightbridge.matching.values import Match
from weightbridge.model.graph import LayerGraph
from weightbridge.model.layouts import keeps_channels_first

Lengths = Mapping[str, int]
PATTERNS = {1: ("o (c w)", "(w c) o"), 2: ("o (c h w)", "(h w c) o")}  # with channels first, and last
FIX = (
    "give the target as a .keras file, which tells the map's shape, or verify that both models give the same "
    "outputs"
)


def doubted_flattens(
    context: Context, matches: Mapping[str, Match]
) -> tuple[dict[str, Match], tuple[Finding, ...]]:
    """The matches, those of kernels behind a Flatten no surer than the files are.

    And what is to be said of them.
    """
    source, target = context.source.graph, context.target.graph
    if keeps_channels_first(source) == keeps_channels_first(target):
        return dict(matches), ()
    to_last = keeps_channels_first(source)
    first, last = (source, target) if to_last else (target, source)
    if last.has_flow and not first.has_flow:
        return {name: _capped(match) for name, match in matches.items()}, ()
    doubted: dict[str, Match] = {}
    if not first.has_flow:
        doubted = _hidden_maps(context, matches, to_last)
    elif to_last and not last.has_flow:
        doubted = _open_maps(source, matches)
    return {**matches, **doubted}, tuple(_said(match) for match in doubted.values())


def _open_maps(source: LayerGraph, matches: Mapping[str, Match]) -> dict[str, Match]:
    """The kernels at a map that the source shows and the target, which may keep it otherwise, does not."""
    return {
        name: replace(match, confidence=min(match.confidence, SYMMETRIC))
        for name, match in matches.items()
        if _is_open(match, source)
    }


def _hidden_maps(context: Context, matches: Mapping[str, Match], to_last: bool) -> dict[str, Match]:
    """The kernels behind a map that neither file shows, turned over where its lengths can be told."""
    first = context.source if to_last else context.target
    maps = hidden_maps(leaves_of(first))
    readers = {name: _reader(match, first.graph, to_last) for name, match in matches.items()}
    return {
        name: _turned(matches[name], maps[reader], to_last)
        for name, reader in readers.items()
        if reader in maps
    }


def _capped(match: Match) -> Match:
    """A kernel turned over for a Flatten that only one side shows is likely, not certain."""
    return (
        replace(match, confidence=min(match.confidence, SYMMETRIC)) if turns_map(match.transform) else match
    )


def _is_open(match: Match, source: LayerGraph) -> bool:
    """Whether a dense layer's kernel or bias stands at a map of channels first, and was not turned over for
    Keras's.
    """
    layer = source.owner.get(match.sources[0]) if len(match.sources) == 1 else None
    if layer is None or layer.op != "Dense" or "(" in match.transform:
        return False
    maps = (
        flattened_input(source, layer) if match.target.endswith("/kernel") else None,
        unflattened_output(source, layer),
    )
    return any(m is not None and m.channels_first and m.channels > 1 and prod(m.space) > 1 for m in maps)


def _reader(match: Match, first: LayerGraph, is_source: bool) -> str:
    """The layer of the side with channels first, where the match is of a dense layer's kernel."""
    if len(match.sources) != 1:
        return ""
    name = match.sources[0] if is_source else match.target
    layer = first.owner.get(name)
    if layer is None or layer.op != "Dense":
        return ""
    kernel = layer.tensor("kernel")
    return layer.name if kernel is not None and kernel.name == name else ""


def _turned(match: Match, lengths: Lengths, to_last: bool) -> Match:
    doubted = replace(match, confidence=min(match.confidence, DOUBTFUL))
    if not lengths:
        return doubted
    return replace(doubted, transform=pattern(lengths, to_last), parameters=dict(lengths))


def _said(match: Match) -> Finding:
    source = match.sources[0]
    how = f"taken as {match.transform}" if turns_map(match.transform) else "taken as it is"
    message = (
        f"{match.target}: {source} reads a flattened map, channels first or last; "
        f"neither file tells, so it is {how}"
    )
    return finding("WB404", message, source=source, target=match.target, fix=FIX)


def hidden_maps(leaves: Sequence[Leaf]) -> dict[str, Lengths]:
    """Unit -> the lengths of the map that it reads (none where they cannot be told), of torch's dense layers
    behind convolutions.

    No layer gives as many values as such a layer takes, but one of the convolutions gives as many channels as
    divide them.
    """
    convolutions = [leaf for leaf in leaves if leaf.kind == "conv"]
    if len(convolutions) < 2:
        return {}
    channels = sorted({leaf.main.shape[0] for leaf in convolutions}, reverse=True)
    widths = _widths(leaves).union(channels)
    rank = len(convolutions[-1].main.shape) - 2
    inputs = {leaf.unit.name: leaf.flow[0] for leaf in leaves if leaf.flow and leaf.layer.op == "Dense"}
    return {
        name: _lengths(n, channels, rank)
        for name, n in inputs.items()
        if n not in widths and _is_multiple(n, channels)
    }


def _is_multiple(inputs: int, channels: Sequence[int]) -> bool:
    return any(inputs % n == 0 for n in channels)


def _widths(leaves: Sequence[Leaf]) -> set[int]:
    """How many values the layers give, and the norms and vectors behind them take."""
    vectors = {max(leaf.main.shape, default=1) for leaf in leaves if leaf.kind in ("norm", "vector")}
    return vectors.union(leaf.flow[1] for leaf in leaves if leaf.flow)


def pattern(lengths: Lengths, to_last: bool) -> str:
    """The kernel from one order into the other."""
    first, last = PATTERNS[len(lengths) - 1]
    return f"{first} -> {last}" if to_last else f"{last} -> {first}"


def _lengths(inputs: int, channels: Sequence[int], rank: int) -> Lengths:
    """Of the widest convolution that leaves a square.

    Nothing where none does, or where the map has three axes of space.
    """
    for n in channels:
        space, rest = divmod(inputs, n)
        if rest or space < 2:
            continue
        if rank == 1:
            return {"c": n, "w": space}
        side = isqrt(space)
        if rank == 2 and side * side == space:
            return {"c": n, "h": side, "w": side}
    return {}
