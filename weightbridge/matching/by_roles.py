"""State dicts: where no data flow is known, layers are matched by what their names say they are for, block by block."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from weightbridge.graph import LayerGraph
from weightbridge.matching.block_pairs import BlockPair, paired_blocks
from weightbridge.matching.context import Context
from weightbridge.matching.fusing import fusions, stacked
from weightbridge.matching.joining import Joiner
from weightbridge.matching.leaf_pairs import TIED, LeafPair, Role, paired_leaves, roles_of
from weightbridge.matching.leaves import Leaf, leaves_of
from weightbridge.matching.names import is_automatic
from weightbridge.matching.single import single_matches
from weightbridge.matching.values import LayerPair, Match

FREE = frozenset({"conv", "norm"})  # what position may still match where names say nothing


@dataclass(frozen=True, slots=True)
class RoleMatching:
    """Pairs of whole units, matches of tensors that no pair of units gives, and the units that other matchers must leave alone."""

    pairs: tuple[LayerPair, ...] = ()
    matches: tuple[Match, ...] = ()
    closed_source: frozenset[str] = frozenset()
    closed_target: frozenset[str] = frozenset()


def by_roles(context: Context, joiner: Joiner) -> RoleMatching:
    """All that names, blocks and sizes tell of two models of which at least one has no data flow."""
    source, target = context.source.graph, context.target.graph
    if context.has_flow or source.framework == target.framework != "torch":
        return RoleMatching()
    a, b = _told(source, leaves_of(context.source, context.taken)), _told(target, leaves_of(context.target, context.pairs))
    found = [_in_block(pair, joiner) for pair in paired_blocks(a, b)]
    closed = [{leaf.unit.name for leaf in side if not _is_free(leaf)} for side in (a, b)]
    return RoleMatching(
        tuple(p for one in found for p in one.pairs),
        tuple(m for one in found for m in one.matches),
        frozenset(closed[0]),
        frozenset(closed[1]),
    )


def _told(graph: LayerGraph, leaves: Iterable[Leaf]) -> list[Leaf]:
    """Without those that an exporter numbers through (`Conv_3`): their place says more than the number."""
    numbered = graph.framework == "onnx"
    return sorted((leaf for leaf in leaves if not (numbered and _is_free(leaf) and is_automatic(leaf.name))), key=_is_late)


def _is_free(leaf: Leaf) -> bool:
    return leaf.kind in FREE or leaf.layer.op == "Conv"


def _is_late(leaf: Leaf) -> bool:
    """Encoders come before decoders, whatever the alphabet says of a file's names: it decides where names say nothing."""
    return "decoder" in leaf.words


def _in_block(blocks: BlockPair, joiner: Joiner) -> RoleMatching:
    source, target = roles_of(blocks.source), roles_of(blocks.target)
    fused = fusions(source, target)
    a = stacked(_without(source, {i for f in fused for i in f.sources}), target)
    b = stacked(_without(target, {i for f in fused for i in f.targets}), source)
    pairs: list[LayerPair] = []
    matches = [m for fusion in fused for m in fusion.matches(source, target, joiner)]
    for pair in _cached_pairs(tuple(a), tuple(b)):
        sure = pair if blocks.sure else replace(pair, confidence=min(pair.confidence, TIED))
        one, other = a[pair.source], b[pair.target]
        matches += single_matches(one, other, sure, [a[k] for k in pair.runners_up], joiner)
        if one.leaf.is_whole and other.leaf.is_whole and not one.members and not other.members:
            names = tuple(a[k].leaf.name for k in pair.runners_up)
            pairs.append(LayerPair(one.leaf.unit.name, other.leaf.unit.name, sure.confidence, sure.evidence, names))
    return RoleMatching(tuple(pairs), tuple(matches))


def _without(roles: Sequence[Role], gone: Iterable[int]) -> list[Role]:
    drop = set(gone)
    return [role for i, role in enumerate(roles) if i not in drop]


def _cached_pairs(source: tuple[Role, ...], target: tuple[Role, ...]) -> tuple[LeafPair, ...]:
    """Equal blocks are paired in the same way: a model of a hundred layers is matched once."""
    return _pairs_of(_Keyed(_key(source), source), _Keyed(_key(target), target))


@dataclass(frozen=True, slots=True)
class _Keyed:
    """Roles that are equal, for the cache, where their names and shapes inside the block are."""

    key: tuple[object, ...]
    roles: tuple[Role, ...]

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and self.key == other.key


def _key(roles: Sequence[Role]) -> tuple[object, ...]:
    return tuple((r.inner, r.function, r.leaf.kind, tuple((role, t.shape) for role, t in r.leaf.tensors)) for r in roles)


@lru_cache(maxsize=256)
def _pairs_of(source: _Keyed, target: _Keyed) -> tuple[LeafPair, ...]:
    return paired_leaves(source.roles, target.roles)
