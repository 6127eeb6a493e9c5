"""What the leaves of paired blocks are for, by the data flow and the blocks beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from weightbridge.matching.context import Context
from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.units.units import Reduced
from weightbridge.matching.uses.block_pairs import BlockPair
from weightbridge.matching.uses.blocks import Words
from weightbridge.matching.uses.leaf_uses import Use, uses_of
from weightbridge.matching.uses.norm_flow import with_norms_by_flow
from weightbridge.matching.uses.towers import following, towers

IN_BLOCKS = frozenset({"norm_ffn", "norm_attention", "norm_after_attention", "norm_after_ffn", "up", "down"})
UsesOfPair = tuple[Sequence[Use], Sequence[Use]]  # of a source block and of its target block


def uses_of_pairs(blocks: Sequence[BlockPair], context: Context) -> list[UsesOfPair]:
    """The uses of both blocks of each pair.

    The last pair is what belongs to no block, where there are others.
    """
    uses: list[UsesOfPair] = []
    for pair in blocks:
        source = _with_flow(uses_of(pair.source), context.source)
        target = _with_flow(uses_of(pair.target), context.target)
        uses.append((source, target))
    if len(blocks) > 1:
        source, target = uses[-1]
        outside_source = _outside_blocks(source, blocks, context.source, is_source=True)
        outside_target = _outside_blocks(target, blocks, context.target, is_source=False)
        uses[-1] = outside_source, outside_target
    return uses


def _with_flow(uses: Sequence[Use], side: Reduced) -> Sequence[Use]:
    """With the layers that each norm stands behind and before, where the data flow tells."""
    if not side.graph.has_flow:
        return uses
    inner = {use.leaf.unit.name: use.inner for use in uses if use.leaf.kind in ("conv", "matrix")}
    parents, children = side.parents, side.children
    linked = []
    for use in uses:
        if use.leaf.kind == "norm":
            name = use.leaf.unit.name
            behind, ahead = _only_neighbour(name, parents, inner), _only_neighbour(name, children, inner)
            linked.append(replace(use, behind=behind, ahead=ahead))
        else:
            linked.append(use)
    return with_norms_by_flow(linked, side)


def _only_neighbour(name: str, flow: Mapping[str, Sequence[str]], inner: Mapping[str, Words]) -> Words:
    """The words of the only layer beside this one; () where there are several, or it is in no block."""
    neighbours = flow.get(name, ())
    return inner.get(neighbours[0], ()) if len(neighbours) == 1 else ()


def _outside_blocks(
    uses: Sequence[Use], blocks: Sequence[BlockPair], side: Reduced, is_source: bool
) -> list[Use]:
    """With the towers that each stands beside.

    Outside of all blocks nothing is of a feed-forward layer, whatever its name (`final_layer_norm`,
    `output`).
    """
    beside = towers(blocks, [use.leaf for use in uses], is_source)
    if side.graph.order == "list":
        before = following(blocks, [use.leaf.unit.name for use in uses], side.position, is_source)
        beside = _with_place(uses, beside, before)
    outside = []
    for use, own_towers in zip(uses, beside, strict=True):
        function = "" if use.function in IN_BLOCKS else use.function
        outside.append(replace(use, function=function, towers=own_towers))
    return outside


def _with_place(
    uses: Sequence[Use], beside: Sequence[frozenset[int]], before: Sequence[frozenset[int]]
) -> tuple[frozenset[int], ...]:
    """A framework's counter says nothing of a norm: the block that the file lists before it does."""
    placed = []
    for use, named, listed in zip(uses, beside, before, strict=True):
        is_counter = use.leaf.kind == "norm" and is_automatic(use.leaf.unit.name)
        placed.append(listed if is_counter and not named else named)
    return tuple(placed)
