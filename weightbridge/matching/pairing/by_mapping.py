"""Mapping rules of the user.

Matches of tensors that a rule names, with the transform it was found with.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from weightbridge.matching.confidence import CERTAIN
from weightbridge.matching.context import Context
from weightbridge.matching.units.units import Reduced
from weightbridge.matching.values import Match
from weightbridge.model.axes import merges_or_drops, solve
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.rules.mappings import Entry, MappingRule


def by_mapping(rules: Sequence[MappingRule], source: LayerGraph, target: LayerGraph) -> tuple[Match, ...]:
    """One match for every target tensor that a rule names, whose sources are there and fit."""
    return tuple(_matches(rules, source.tensor_by_name, target)) if rules else ()


def without_told(context: Context, told: Sequence[Match]) -> Context:
    """The context without the units whose tensors the rules have dealt with."""
    if not told:
        return context
    source_tensors = {name for match in told for name in match.sources}
    target_tensors = {match.target for match in told}
    return context.closing(
        _units_within(context.source, source_tensors), _units_within(context.target, target_tensors)
    )


def _units_within(side: Reduced, tensors: Collection[str]) -> list[str]:
    """The units all of whose tensors are among these."""
    return [unit.name for unit in side.weighted if all(tensor.name in tensors for _, tensor in unit.tensors)]


def _matches(
    rules: Sequence[MappingRule], given: Mapping[str, Tensor], target: LayerGraph
) -> Iterator[Match]:
    for tensor in target.tensors:
        entry, names = _found(rules, tensor.name)
        if entry is None or any(name not in given for name in names):
            continue
        parameters = _parameters(entry, [given[name] for name in names], tensor)
        if parameters is not None:
            yield Match(
                tensor.name, names, entry.transform, parameters, confidence=CERTAIN, evidence=("rule",)
            )


def _found(rules: Sequence[MappingRule], name: str) -> tuple[Entry | None, tuple[str, ...]]:
    """The first rule's entry for a target tensor, and the source tensors that it names."""
    for rule in rules:
        found = rule.find(name)
        if found is not None:
            return found
    return None, ()


def _parameters(entry: Entry, sources: Sequence[Tensor], target: Tensor) -> dict[str, Any] | None:
    """Those of the entry for the shapes that it was found for.

    Else what the shapes tell; None where they do not fit.
    """
    shapes = (*(t.shape for t in sources), target.shape)
    if entry.shapes or len(sources) != 1:
        return dict(entry.parameters) if shapes == entry.shapes else None
    if not entry.transform:
        return {} if shapes[0] == shapes[1] else None
    lengths = solve(entry.transform, shapes[0], shapes[1]) if "->" in entry.transform else None
    return lengths if lengths is None or merges_or_drops(entry.transform) else {}
