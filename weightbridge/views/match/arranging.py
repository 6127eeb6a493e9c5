"""The order of the blocks of two models: where a file keeps none, by where its blocks lead or come from."""

from collections.abc import Sequence

from weightbridge.views.match.pieces import Block

Blocks = Sequence[Block]


def arranged(
    own: tuple[Blocks, Blocks], joins: Sequence[tuple[int, int]], has_flow: tuple[bool, bool]
) -> tuple[Blocks, Blocks]:
    """Source and target. joins: pairs of layers."""
    sources, targets = own
    if not has_flow[0]:
        return _beside(sources, targets, joins), targets
    if not has_flow[1]:
        return sources, _beside(targets, sources, [(b, a) for a, b in joins])
    return sources, targets


def _beside(found: Blocks, others: Blocks, joins: Sequence[tuple[int, int]]) -> Blocks:
    """By the mean place of what they are joined to; what is joined to nothing stays behind its neighbour."""
    mine = {layer: i for i, block in enumerate(found) for layer in block.layers}
    theirs = {layer: i for i, block in enumerate(others) for layer in block.layers}
    places: dict[int, list[float]] = {}
    for a, b in joins:
        places.setdefault(mine[a], []).append(theirs[b])
    means: list[float] = []
    for i in range(len(found)):
        near = places.get(i, means[-1:] or [-1.0])
        means.append(sum(near) / len(near))
    return [found[i] for i in sorted(range(len(found)), key=means.__getitem__)]
