"""State dicts: where no data flow is known, layers are matched by what their names say they are for."""

from collections.abc import Collection, Sequence

from weightbridge.matching.confidence import BY_WORDS
from weightbridge.matching.context import Context
from weightbridge.matching.joining.join import Joiner
from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.uses.block_matches import UseMatching, matched_blocks
from weightbridge.matching.uses.block_pairs import paired_blocks
from weightbridge.matching.uses.block_uses import UsesOfPair, uses_of_pairs
from weightbridge.matching.uses.leaf_uses import Use
from weightbridge.matching.uses.leaves import Leaf, leaves_of
from weightbridge.matching.uses.unnamed_blocks import with_blocks
from weightbridge.matching.values import LayerPair
from weightbridge.model.vocabulary import CONVOLUTIONS, RECURRENT

PLACED = CONVOLUTIONS | {"Linear", "Norm"}
FREE = frozenset({"conv", "norm"})  # what position may still match where names say nothing


def by_uses(context: Context, joiner: Joiner) -> UseMatching:
    """All that names, blocks and sizes tell of two models of which at least one has no data flow.

    Between two of Keras's own only where both have attention and not the same layers: the order in which
    Keras keeps these says more.
    """
    source, target = context.source.graph, context.target.graph
    if _is_matched_otherwise(context):
        return UseMatching()
    source_leaves, target_leaves = _leaves_told_by_name(context)
    in_order = source.order == "list", target.order == "list"
    blocks = paired_blocks(source_leaves, target_leaves, in_order)
    uses = uses_of_pairs(blocks, context)
    if source.is_from_keras and target.is_from_keras and not _both_attend(uses):
        return UseMatching()
    matched = matched_blocks(blocks, uses, context, joiner)
    pairs = matched.pairs
    if "onnx" in (source.framework, target.framework):
        pairs = tuple(pair for pair in pairs if not _is_by_order(pair, context))
    closed_source = _closed(source_leaves, context.taken) | matched.closed_source
    closed_target = _closed(target_leaves, context.pairs)
    return UseMatching(pairs, matched.matches, closed_source, closed_target)


def _is_matched_otherwise(context: Context) -> bool:
    """Whether data flow or the order of layers tells all that there is to tell."""
    is_onnx_alone = context.source.graph.framework == context.target.graph.framework == "onnx"
    if context.has_flow or is_onnx_alone:
        return True
    return context.is_complete or context.is_listed_alike


def _leaves_told_by_name(context: Context) -> tuple[list[Leaf], list[Leaf]]:
    """All leaves of both sides that have names of their own: blocks show only where nothing is left out.

    Encoders come before decoders, whatever the alphabet says of a file's names: it decides where names say
    nothing.
    """
    is_onnx = [side.graph.framework == "onnx" for side in (context.source, context.target)]
    sides: list[list[Leaf]] = []
    for side, is_numbered in zip((context.source, context.target), is_onnx, strict=True):
        leaves = _without_numbered(leaves_of(side), is_numbered, any(is_onnx))
        sides.append(sorted(leaves, key=lambda leaf: "decoder" in leaf.words))
    given, wanted = sides
    told = with_blocks(given, wanted, context.source.graph)
    return told, with_blocks(wanted, given, context.target.graph)


def _without_numbered(leaves: Sequence[Leaf], is_numbered: bool, is_onnx_beside: bool) -> list[Leaf]:
    """Without those that ONNX numbers through (`Conv_3`) and recurrent layers beside it: place says more."""
    kept = [leaf for leaf in leaves if not _is_told_by_place(leaf, is_numbered, is_onnx_beside)]
    if is_numbered and len(kept) < len(leaves):  # norms follow the layers that their place tells
        kept = [leaf for leaf in kept if leaf.layer.op != "BatchNorm"]
    return kept


def _is_told_by_place(leaf: Leaf, is_numbered: bool, is_onnx_beside: bool) -> bool:
    """One side's names tell recurrent layers in vain where the other is ONNX."""
    is_counter = is_numbered and _is_free(leaf) and is_automatic(leaf.name)
    return is_counter or (is_onnx_beside and leaf.layer.op in RECURRENT)


def _is_free(leaf: Leaf) -> bool:
    """Whether position may still match it."""
    return leaf.kind in FREE or leaf.layer.op == "Conv"


def _both_attend(uses: Sequence[UsesOfPair]) -> bool:
    """Whether both models have a block with queries and keys."""
    return any(_attends(source) for source, _ in uses) and any(_attends(target) for _, target in uses)


def _attends(block: Sequence[Use]) -> bool:
    return {"query", "key"} <= {use.function for use in block}


def _is_by_order(pair: LayerPair, context: Context) -> bool:
    """Whether only the order or the likeness of names speaks for a pair of convolutions or norms.

    ONNX has the order of the data, which says more.
    """
    is_weak = pair.confidence <= BY_WORDS and not {"order", "words"}.isdisjoint(pair.evidence)
    return is_weak and context.target.by_name[pair.target].family in PLACED


def _closed(leaves: Sequence[Leaf], paired: Collection[str]) -> frozenset[str]:
    """The units that no other matcher may guess, but for those that are paired."""
    return frozenset(leaf.unit.name for leaf in leaves if not _is_free(leaf)).difference(paired)
