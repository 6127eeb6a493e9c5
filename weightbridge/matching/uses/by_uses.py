"""State dicts: where no data flow is known, layers are matched by what their names say they are for, block by
block.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from weightbridge.matching.confidence import BY_WORDS, DOUBTFUL
from weightbridge.matching.context import Context
from weightbridge.matching.joining.join import Joiner
from weightbridge.matching.pairing.keras_order import is_listed_alike
from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.units.units import Reduced
from weightbridge.matching.uses.block_pairs import BlockPair, paired_blocks
from weightbridge.matching.uses.blocks import Words
from weightbridge.matching.uses.fusing import fusions, stacked
from weightbridge.matching.uses.leaf_pairs import LeafPair, paired_leaves
from weightbridge.matching.uses.leaf_uses import Role, roles_of
from weightbridge.matching.uses.leaves import Leaf, leaves_of
from weightbridge.matching.uses.shared_tables import shared_tables
from weightbridge.matching.uses.single import single_matches
from weightbridge.matching.uses.towers import following, towers
from weightbridge.matching.values import LayerPair, Match
from weightbridge.model.vocabulary import CONVOLUTIONS, RECURRENT

IN_BLOCKS = frozenset({"norm_ffn", "norm_attention", "norm_after_attention", "norm_after_ffn", "up", "down"})
IN_ORDER = frozenset({"keras-zip", "keras-h5", "python"})  # formats that list all layers in one order
PLACED = CONVOLUTIONS | {"Linear", "Norm"}
FREE = frozenset({"conv", "norm"})  # what position may still match where names say nothing


@dataclass(frozen=True, slots=True)
class RoleMatching:
    """Pairs of whole units, matches of tensors that no pair of units gives, and the units that other matchers
    must leave alone.
    """

    pairs: tuple[LayerPair, ...] = ()
    matches: tuple[Match, ...] = ()
    closed_source: frozenset[str] = frozenset()
    closed_target: frozenset[str] = frozenset()


def by_roles(context: Context, joiner: Joiner) -> RoleMatching:
    """All that names, blocks and sizes tell of two models of which at least one has no data flow.

    Between two of Keras's own only where both have attention and not the same layers: the order in which
    Keras keeps these says more.
    """
    source, target = context.source.graph, context.target.graph
    if context.has_flow or source.framework == target.framework == "onnx":
        return RoleMatching()
    if context.is_complete or is_listed_alike(context):
        return RoleMatching()
    leaves = (
        leaves_of(context.source, ()),
        leaves_of(context.target, ()),
    )  # blocks show only where nothing is left out
    numbered = tuple(graph.framework == "onnx" for graph in (source, target))
    a, b = (_told(own, is_numbered, any(numbered)) for own, is_numbered in zip(leaves, numbered, strict=True))
    blocks = paired_blocks(a, b, (source.format in IN_ORDER, target.format in IN_ORDER))
    roles = [_roles(pair, blocks, context) for pair in blocks]
    if source.is_from_keras and target.is_from_keras and not all(map(_attends, zip(*roles, strict=True))):
        return RoleMatching()
    found = [_in_block(pair, _open(own, context), joiner) for pair, own in zip(blocks, roles, strict=True)]
    done = context.taken, context.pairs
    closed = [
        {leaf.unit.name for leaf in side if not _is_free(leaf)}.difference(d)
        for side, d in zip((a, b), done, strict=True)
    ]
    return RoleMatching(
        tuple(p for one in found for p in one.pairs if not (any(numbered) and _is_by_order(p, context))),
        tuple(m for one in found for m in one.matches),
        frozenset(closed[0]).union(*(one.closed_source for one in found)),
        frozenset(closed[1]),
    )


def _attends(blocks: Iterable[Sequence[Role]]) -> bool:
    """Whether a block has queries and keys."""
    return any({"query", "key"} <= {role.function for role in block} for block in blocks)


def _told(leaves: Sequence[Leaf], is_numbered: bool, is_either: bool) -> list[Leaf]:
    """Without those that are numbered through (`Conv_3`, recurrent layers beside ONNX): their place says more
    than the number.
    """
    placed = (is_numbered and _is_free(leaf) and is_automatic(leaf.name) for leaf in leaves)
    recurrent = (
        is_either and leaf.layer.op in RECURRENT for leaf in leaves
    )  # one side's names tell them in vain
    kept = [leaf for leaf, *is_out in zip(leaves, placed, recurrent, strict=True) if not any(is_out)]
    if is_numbered and len(kept) < len(leaves):  # norms follow the layers that their place tells
        kept = [leaf for leaf in kept if leaf.layer.op != "BatchNorm"]
    return sorted(kept, key=_is_late)


def _is_free(leaf: Leaf) -> bool:
    return leaf.kind in FREE or leaf.layer.op == "Conv"


def _is_by_order(pair: LayerPair, context: Context) -> bool:
    """Whether only the order or the likeness of names speaks for a pair of convolutions or norms: ONNX has
    the order of the data.
    """
    is_weak = pair.confidence <= BY_WORDS and not {"order", "words"}.isdisjoint(pair.evidence)
    return is_weak and context.target.by_name[pair.target].family in PLACED


def _is_late(leaf: Leaf) -> bool:
    """Encoders come before decoders, whatever the alphabet says of a file's names: it decides where names say
    nothing.
    """
    return "decoder" in leaf.words


def _roles(
    pair: BlockPair, blocks: Sequence[BlockPair], context: Context
) -> tuple[Sequence[Role], Sequence[Role]]:
    """The roles of both blocks; what belongs to no block is told apart by the blocks it stands beside."""
    source, target = _fed(roles_of(pair.source), context.source), _fed(roles_of(pair.target), context.target)
    if pair is not blocks[-1] or len(blocks) == 1:
        return source, target
    return _outside(source, blocks, context.source, True), _outside(target, blocks, context.target, False)


def _fed(roles: Sequence[Role], side: Reduced) -> Sequence[Role]:
    """With the layers that each norm stands behind and before, where the data flow tells."""
    if not side.graph.has_flow:
        return roles
    inner = {role.leaf.unit.name: role.inner for role in roles if role.leaf.kind in ("conv", "matrix")}
    children = side.children

    def beside(role: Role, flow: Mapping[str, Sequence[str]]) -> Words:
        found = flow.get(role.leaf.unit.name, ()) if role.leaf.kind == "norm" else ()
        return inner.get(found[0], ()) if len(found) == 1 else ()

    return [replace(role, behind=beside(role, side.parents), ahead=beside(role, children)) for role in roles]


def _open(
    roles: tuple[Sequence[Role], Sequence[Role]], context: Context
) -> tuple[Sequence[Role], Sequence[Role]]:
    """Without what stronger evidence has paired."""
    source, target = roles
    return [r for r in source if r.leaf.unit.name not in context.taken], [
        r for r in target if r.leaf.unit.name not in context.pairs
    ]


def _outside(
    roles: Sequence[Role], blocks: Sequence[BlockPair], side: Reduced, is_source: bool
) -> list[Role]:
    """Outside of all blocks nothing is of a feed-forward layer, whatever its name (`final_layer_norm`,
    `output`).
    """
    beside = towers(blocks, [role.leaf for role in roles], is_source)
    if side.graph.format in IN_ORDER:  # a counter says nothing of a layer, the block before it does
        after = following(blocks, [role.leaf.unit.name for role in roles], side.position, is_source)
        places = zip(roles, beside, after, strict=True)
        beside = tuple(
            a if not b and r.leaf.kind == "norm" and is_automatic(r.leaf.unit.name) else b
            for r, b, a in places
        )
    return [
        replace(r, function="" if r.function in IN_BLOCKS else r.function, towers=t)
        for r, t in zip(roles, beside, strict=True)
    ]


def _in_block(
    blocks: BlockPair, roles: tuple[Sequence[Role], Sequence[Role]], joiner: Joiner
) -> RoleMatching:
    source, target = roles
    fused = fusions(source, target)
    a = stacked(_without(source, {i for f in fused for i in f.sources}), target)
    b = stacked(_without(target, {i for f in fused for i in f.targets}), source)
    pairs: list[LayerPair] = []
    alone: set[str] = set()  # used, but by no pair of units
    matches = [m for fusion in fused for m in fusion.matches(source, target, joiner)]
    chosen = _cached_pairs(tuple(a), tuple(b))
    for pair in (*chosen, *shared_tables(a, b, chosen)):
        sure = pair if blocks.sure else replace(pair, confidence=min(pair.confidence, DOUBTFUL))
        one, other = a[pair.source], b[pair.target]
        matches += single_matches(one, other, sure, [a[k] for k in pair.runners_up], joiner)
        if (
            "tied" not in pair.evidence
            and one.leaf.is_whole
            and other.leaf.is_whole
            and not one.members
            and not other.members
        ):
            names = tuple(a[k].leaf.name for k in pair.runners_up)
            pairs.append(
                LayerPair(one.leaf.unit.name, other.leaf.unit.name, sure.confidence, sure.evidence, names)
            )
        elif one.leaf.is_whole and not one.members:
            alone.add(one.leaf.unit.name)
    return RoleMatching(tuple(pairs), tuple(matches), frozenset(alone))


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
    return tuple(
        (
            r.inner,
            r.function,
            r.towers,
            r.behind,
            r.ahead,
            r.leaf.kind,
            tuple((role, t.shape) for role, t in r.leaf.tensors),
        )
        for r in roles
    )


@lru_cache(maxsize=256)
def _pairs_of(source: _Keyed, target: _Keyed) -> tuple[LeafPair, ...]:
    return paired_leaves(source.roles, target.roles)
