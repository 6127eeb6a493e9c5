"""Tied tables, of which a state dict has one copy: `embed.weight` -> `embed/table` and `head/table`.

What else stands in the layer of such a table is shared with it.
"""

from collections.abc import Iterator, Sequence

from weightbridge.matching.confidence import BY_WORDS, DOUBTFUL
from weightbridge.matching.uses.leaf_pairs import LeafPair
from weightbridge.matching.uses.leaf_uses import Use

TABLES = frozenset({"token_embedding", "position_embedding", "type_embedding"})
EVIDENCE = ("shape", "name", "tied")


def shared_tables(
    source: Sequence[Use], target: Sequence[Use], pairs: Sequence[LeafPair]
) -> Iterator[LeafPair]:
    """A second use of a source table for each open one of the target like the one it fills; never sure."""
    of_tables = [pair for pair in pairs if source[pair.source].function in TABLES]
    tables = tuple(_second_uses(source, target, pairs, of_tables))
    used_twice = {pair.source for pair in tables}
    layers = {source[i].leaf.unit.name for i in used_twice}
    in_layers = [pair for pair in pairs if source[pair.source].leaf.unit.name in layers]
    beside = [pair for pair in in_layers if pair.source not in used_twice]
    yield from tables
    yield from _second_uses(source, target, (*pairs, *tables), beside)


def _second_uses(
    source: Sequence[Use], target: Sequence[Use], pairs: Sequence[LeafPair], shared: Sequence[LeafPair]
) -> Iterator[LeafPair]:
    """For each open leaf of the target the only shared pair that fits, where no spare source leaf does."""
    for j, use in _without_source(source, target, pairs):
        twins = [pair for pair in shared if _is_twin(source[pair.source], target[pair.target], use)]
        if len(twins) == 1:
            confidence = min(BY_WORDS if use.function else DOUBTFUL, twins[0].confidence)
            yield LeafPair(twins[0].source, j, confidence, EVIDENCE)


def _without_source(
    source: Sequence[Use], target: Sequence[Use], pairs: Sequence[LeafPair]
) -> Iterator[tuple[int, Use]]:
    """The open leaves of the target, and their places, that no spare leaf of the source could fill."""
    used, filled = {pair.source for pair in pairs}, {pair.target for pair in pairs}
    spare = {(use.function, use.leaf.main.shape) for i, use in enumerate(source) if i not in used}
    for j, use in enumerate(target):
        shape = use.leaf.main.shape
        if j not in filled and spare.isdisjoint({("", shape), (use.function, shape)}):
            yield j, use


def _is_twin(source: Use, filled: Use, spare: Use) -> bool:
    """Of one shape and function, or a mere number in one layer (a table, and one resized from it)."""
    if spare.leaf.main.shape != filled.leaf.main.shape:
        return False
    if spare.function:
        return spare.function == source.function
    is_number = spare.inner[-1:] != () and spare.inner[-1].isdigit()
    return is_number and spare.leaf.unit.name == filled.leaf.unit.name
