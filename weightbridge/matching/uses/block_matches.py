"""What two paired blocks give: pairs of whole units, and matches of other tensors."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from weightbridge.boundary.records import dataclass
from weightbridge.matching.confidence import DOUBTFUL
from weightbridge.matching.context import Context
from weightbridge.matching.joining.join import Joiner
from weightbridge.matching.uses.block_pairs import BlockPair
from weightbridge.matching.uses.block_uses import UsesOfPair
from weightbridge.matching.uses.large_blocks import is_large, paired_in_order
from weightbridge.matching.uses.leaf_pairs import LeafPair, paired_leaves
from weightbridge.matching.uses.leaf_uses import Use
from weightbridge.matching.uses.tensors.fusing import Fusion, fusions
from weightbridge.matching.uses.tensors.shared_tables import shared_tables
from weightbridge.matching.uses.tensors.single import single_matches
from weightbridge.matching.uses.tensors.stacks import stacked
from weightbridge.matching.values import LayerPair, Match

Key = tuple[object, ...]
KnownPairs = dict[tuple[Key, Key], tuple[LeafPair, ...]]  # of blocks that look alike


@dataclass(frozen=True, slots=True)
class UseMatching:
    """Pairs of whole units, matches of other tensors, and the units that other matchers must leave alone."""

    pairs: tuple[LayerPair, ...] = ()
    matches: tuple[Match, ...] = ()
    closed_source: frozenset[str] = frozenset()
    closed_target: frozenset[str] = frozenset()


def matched_blocks(
    blocks: Sequence[BlockPair], uses: Sequence[UsesOfPair], context: Context, joiner: Joiner
) -> UseMatching:
    """What all pairs of blocks give, without what stronger evidence has paired.

    Blocks that look alike are paired in the same way: a model of a hundred layers is matched once.
    """
    pairs: list[LayerPair] = []
    matches: list[Match] = []
    closed_source: set[str] = set()
    known: KnownPairs = {}
    for block, (source, target) in zip(blocks, uses, strict=True):
        open_source = [use for use in source if not context.is_source_done(use.leaf.unit.name)]
        open_target = [use for use in target if not context.is_target_done(use.leaf.unit.name)]
        matched = _matched_block(block, open_source, open_target, known, joiner)
        pairs += matched.pairs
        matches += matched.matches
        closed_source |= matched.closed_source
    return UseMatching(tuple(pairs), tuple(matches), frozenset(closed_source))


def _matched_block(
    block: BlockPair, source: Sequence[Use], target: Sequence[Use], known: KnownPairs, joiner: Joiner
) -> UseMatching:
    """Fused matrices first, then one leaf into one: units with all their tensors as pairs."""
    fused = fusions(source, target)
    matches = [match for fusion in fused for match in fusion.matches(source, target, joiner)]
    left_source, left_target = _left_over(source, target, fused)
    pairs: list[LayerPair] = []
    used_in_part: set[str] = set()
    for leaf_pair in _leaf_pairs(left_source, left_target, known):
        sure = leaf_pair
        if not block.sure:
            sure = replace(leaf_pair, confidence=min(leaf_pair.confidence, DOUBTFUL))
        given, wanted = left_source[sure.source], left_target[sure.target]
        rivals = [left_source[i] for i in sure.runners_up]
        matches += single_matches(given, wanted, sure, rivals, joiner)
        if _are_whole(given, wanted, sure):
            pairs.append(_layer_pair(given, wanted, sure, rivals))
        elif _is_whole(given):
            used_in_part.add(given.leaf.unit.name)
    return UseMatching(tuple(pairs), tuple(matches), frozenset(used_in_part))


def _left_over(
    source: Sequence[Use], target: Sequence[Use], fused: Sequence[Fusion]
) -> tuple[list[Use], list[Use]]:
    """What no fusion uses, experts as stacks where the other side has them so."""
    left_source = _without(source, {i for fusion in fused for i in fusion.sources})
    left_target = _without(target, {i for fusion in fused for i in fusion.targets})
    return stacked(left_source, target), stacked(left_target, source)


def _without(uses: Sequence[Use], dropped: Iterable[int]) -> list[Use]:
    places = frozenset(dropped)
    return [use for i, use in enumerate(uses) if i not in places]


def _leaf_pairs(source: Sequence[Use], target: Sequence[Use], known: KnownPairs) -> tuple[LeafPair, ...]:
    """The pairs of leaves, worked out once for blocks that look alike; then second uses of tied tables."""
    key = _key(source), _key(target)
    if key not in known:
        pair = paired_in_order if is_large(source, target) else paired_leaves
        known[key] = pair(source, target)
    pairs = known[key]
    return (*pairs, *shared_tables(source, target, pairs))


def _key(uses: Sequence[Use]) -> Key:
    """Equal for blocks whose names and shapes inside are the same."""
    return tuple(_key_of_use(use) for use in uses)


def _key_of_use(use: Use) -> Key:
    shapes = tuple((role, tensor.shape) for role, tensor in use.leaf.tensors)
    return use.inner, use.function, use.towers, use.behind, use.ahead, use.leaf.kind, shapes


def _are_whole(given: Use, wanted: Use, pair: LeafPair) -> bool:
    """Whether both are whole units, and the target's does not share the source with another."""
    return _is_whole(given) and _is_whole(wanted) and "tied" not in pair.evidence


def _is_whole(use: Use) -> bool:
    """Whether it is one unit with all its tensors."""
    return use.leaf.is_whole and not use.members


def _layer_pair(given: Use, wanted: Use, sure: LeafPair, rivals: Sequence[Use]) -> LayerPair:
    names = tuple(rival.leaf.name for rival in rivals)
    return LayerPair(given.leaf.unit.name, wanted.leaf.unit.name, sure.confidence, sure.evidence, names)
