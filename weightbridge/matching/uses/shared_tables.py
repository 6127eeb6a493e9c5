"""Tables that the target keeps twice and the source once: tied weights, of which a state dict has one copy.

What else stands in the layer of such a table is shared with it.
"""

from collections.abc import Iterator, Sequence

from weightbridge.matching.confidence import BY_WORDS, DOUBTFUL
from weightbridge.matching.uses.leaf_pairs import LeafPair
from weightbridge.matching.uses.leaf_uses import Use

TABLES = frozenset({"token_embedding", "position_embedding", "type_embedding"})


def shared_tables(
    source: Sequence[Use], target: Sequence[Use], pairs: Sequence[LeafPair]
) -> Iterator[LeafPair]:
    """A second use of a source table for each open one of the target that is like the one it fills; never
    sure.
    """
    tables = tuple(
        _second_uses(source, target, pairs, [p for p in pairs if source[p.source].function in TABLES])
    )
    layers = {source[p.source].leaf.unit.name for p in tables}
    beside = [
        p
        for p in pairs
        if source[p.source].leaf.unit.name in layers and p.source not in {q.source for q in tables}
    ]
    yield from tables
    yield from _second_uses(source, target, (*pairs, *tables), beside)


def _second_uses(
    source: Sequence[Use], target: Sequence[Use], pairs: Sequence[LeafPair], shared: Sequence[LeafPair]
) -> Iterator[LeafPair]:
    used, filled = {p.source for p in pairs}, {p.target for p in pairs}
    spare = {(r.function, r.leaf.main.shape) for i, r in enumerate(source) if i not in used}
    for j, role in enumerate(target):
        if j in filled or not spare.isdisjoint((f, role.leaf.main.shape) for f in ("", role.function)):
            continue
        twins = [p for p in shared if _is_twin(source[p.source], target[p.target], role)]
        if len(twins) == 1:
            sure = BY_WORDS if role.function else DOUBTFUL
            yield LeafPair(twins[0].source, j, min(sure, twins[0].confidence), ("shape", "name", "tied"))


def _is_twin(source: Use, filled: Use, spare: Use) -> bool:
    """Of the same shape and function, or without a name in the same layer (a table, and what was resized from
    it).
    """
    is_nameless = not spare.function and spare.inner[-1:] != () and spare.inner[-1].isdigit()
    is_same = spare.function == source.function != "" or (
        is_nameless and spare.leaf.unit.name == filled.leaf.unit.name
    )
    return is_same and spare.leaf.main.shape == filled.leaf.main.shape
