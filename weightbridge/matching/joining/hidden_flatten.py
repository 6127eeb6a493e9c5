"""A dense layer behind a Flatten where neither file has the data flow: its inputs are a map whose order
nothing tells for certain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isqrt, prod

from weightbridge.diagnostics import Finding, finding
from weightbridge.matching.confidence import DOUBTFUL, SYMMETRIC
from weightbridge.matching.context import Context
from weightbridge.matching.units.flattening import flattened_input, unflattened_output
from weightbridge.matching.uses.leaves import Leaf, leaves_of
from weightbridge.matching.values import Match
from weightbridge.model.graph import LayerGraph

Lengths = Mapping[str, int]
PATTERNS = {1: ("o (c w)", "(w c) o"), 2: ("o (c h w)", "(h w c) o")}  # as torch keeps it, and as Keras does


def doubted_flattens(
    context: Context, matches: Mapping[str, Match]
) -> tuple[dict[str, Match], tuple[Finding, ...]]:
    """The matches, those of kernels behind a Flatten no surer than the files are; and what is to be said of
    them.
    """
    source, target = context.source.graph, context.target.graph
    if source.framework == "onnx" and source.has_flow and target.framework == "keras" and not target.has_flow:
        open_maps = {
            name: replace(m, confidence=min(m.confidence, SYMMETRIC))
            for name, m in matches.items()
            if _is_open(m, source)
        }
        return {**matches, **open_maps}, tuple(_said(m) for m in open_maps.values())
    sides = {source.framework: (source, context.source), target.framework: (target, context.target)}
    if set(sides) != {"torch", "keras"} or sides["torch"][0].has_flow:
        return dict(matches), ()
    if sides["keras"][0].has_flow:
        return {name: _capped(m) for name, m in matches.items()}, ()
    maps = hidden_maps(leaves_of(sides["torch"][1]))
    hidden = {name: m for name, m in matches.items() if _reader(m, source, target) in maps}
    turned = {
        name: _turned(m, maps[_reader(m, source, target)], target.framework == "keras")
        for name, m in hidden.items()
    }
    return {**matches, **turned}, tuple(_said(m) for m in turned.values())


def _capped(match: Match) -> Match:
    """A kernel turned over for a Flatten that only Keras's side shows is likely, not certain."""
    return replace(match, confidence=min(match.confidence, SYMMETRIC)) if "(c " in match.transform else match


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


def _reader(match: Match, source: LayerGraph, target: LayerGraph) -> str:
    """torch's layer, where the match is of a dense layer's kernel."""
    if len(match.sources) != 1:
        return ""
    name, graph = (match.sources[0], source) if source.framework == "torch" else (match.target, target)
    layer = graph.owner.get(name)
    kernel = layer.tensor("kernel") if layer is not None and layer.op == "Dense" else None
    return layer.name if layer is not None and kernel is not None and kernel.name == name else ""


def _turned(match: Match, lengths: Lengths, to_keras: bool) -> Match:
    doubted = replace(match, confidence=min(match.confidence, DOUBTFUL))
    return (
        replace(doubted, transform=pattern(lengths, to_keras), parameters=dict(lengths))
        if lengths
        else doubted
    )


def _said(match: Match) -> Finding:
    how = f"taken as {match.transform}" if "(c " in match.transform else "taken as it is"
    message = f"{match.target}: {match.sources[0]} reads a flattened map, channels first or last; neither file tells, so it is {how}"
    fix = "give the target as a .keras file, which tells the map's shape, or verify that both models give the same outputs"
    return finding("WB404", message, source=match.sources[0], target=match.target, fix=fix)


def hidden_maps(leaves: Sequence[Leaf]) -> dict[str, Lengths]:
    """Unit -> the lengths of the map that it reads (none where they cannot be told), of torch's dense layers
    behind convolutions.

    No layer gives as many values as such a layer takes, but one of the convolutions gives as many channels as
    divide them.
    """
    convolutions = [leaf for leaf in leaves if leaf.kind == "conv"]
    if len(convolutions) < 2:
        return {}
    given = {max(leaf.main.shape, default=1) for leaf in leaves if leaf.kind in ("norm", "vector")}
    given |= {leaf.flow[1] for leaf in leaves if leaf.flow} | {leaf.main.shape[0] for leaf in convolutions}
    channels = sorted({leaf.main.shape[0] for leaf in convolutions}, reverse=True)
    rank = len(convolutions[-1].main.shape) - 2
    inputs = {leaf.unit.name: leaf.flow[0] for leaf in leaves if leaf.flow and leaf.layer.op == "Dense"}
    fed = {name: n for name, n in inputs.items() if n not in given and any(n % c == 0 for c in channels)}
    return {name: _lengths(n, channels, rank) for name, n in fed.items()}


def pattern(lengths: Lengths, to_keras: bool) -> str:
    """The kernel from one order into the other."""
    ours, theirs = PATTERNS[len(lengths) - 1]
    return f"{ours} -> {theirs}" if to_keras else f"{theirs} -> {ours}"


def _lengths(inputs: int, channels: Sequence[int], rank: int) -> Lengths:
    """Of the widest convolution that leaves a square; nothing where none does, or where the map has three
    axes of space.
    """
    for c in channels:
        space = inputs // c
        if inputs % c or space < 2:
            continue
        if rank == 1:
            return {"c": c, "w": space}
        if rank == 2 and isqrt(space) ** 2 == space:
            return {"c": c, "h": isqrt(space), "w": isqrt(space)}
    return {}
