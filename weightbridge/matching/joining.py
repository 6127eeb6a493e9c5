"""Inside a matched pair: role by role, the rule that joins each target tensor to a source tensor."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weightbridge.axes import inverse
from weightbridge.graph import Layer, LayerGraph
from weightbridge.matching.flattening import flattened_input
from weightbridge.matching.older_keras import is_stored_otherwise, joined_gates, older_kernel
from weightbridge.matching.units import Unit
from weightbridge.matching.values import LayerPair, Match
from weightbridge.rules import Rule
from weightbridge.tensors import Tensor

SAME_FRAMEWORK = "same framework"


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of one pair: exact matches, pairs of tensors that no exact transform joins, target tensors without a counterpart."""

    matches: tuple[Match, ...]
    misfits: tuple[tuple[str, str], ...]
    missing: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Joiner:
    """The rules and both graphs: what joining needs beside the pair itself."""

    rules: tuple[Rule, ...]
    source: LayerGraph
    target: LayerGraph

    def join(self, pair: LayerPair, source: Unit, target: Unit) -> Joined:
        matches, misfits, missing = [], [], []
        roles = source.roles
        for role, tensor in target.tensors:
            given = roles.get(role)
            if given is None:
                gates = joined_gates(source, role, tensor)
                if gates:
                    names = tuple(t.name for t in gates)
                    matches.append(Match(tensor.name, names, "concatenate", {"axis": -1}, False, pair.confidence, pair.evidence))
                else:
                    missing.append(tensor)
                continue
            found = self._transform(source.layer, target.layer, role, given, tensor)
            if found is None:
                misfits.append((given.name, tensor.name))
                continue
            matches.append(Match(tensor.name, (given.name,), *found, False, pair.confidence, pair.evidence, _runners(pair, given)))
        return Joined(tuple(matches), tuple(misfits), tuple(missing))

    def _transform(self, source: Layer, target: Layer, role: str, given: Tensor, wanted: Tensor) -> tuple[str, dict[str, Any]] | None:
        known = self._lengths(source, target) if role == "kernel" else {}
        if role == "kernel" and self.source.framework == self.target.framework and is_stored_otherwise(source, target):
            return older_kernel(source, target, given, wanted)
        if self.source.framework == self.target.framework and given.shape == wanted.shape and not known:
            return "", {}
        found = list(self._by_rules(source, target, given, wanted, known))
        if found:
            return found[0]
        return ("", {}) if given.shape == wanted.shape and len(given.shape) < 2 else None

    def _by_rules(
        self, source: Layer, target: Layer, given: Tensor, wanted: Tensor, known: Mapping[str, int]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        here = (self.source.framework, source.op, given.role, source.attributes)
        there = (self.target.framework, target.op, wanted.role, target.attributes)
        for rule in self.rules:
            if bool(rule.lengths) != bool(known):
                continue
            if rule.source.admits(*here) and rule.target.admits(*there):
                found = rule.joins(given.shape, wanted.shape, known)
            elif rule.axes and not rule.transform and rule.target.admits(*here) and rule.source.admits(*there):
                found = _backwards(rule, given, wanted, known)
            else:
                continue
            if found is not None:
                yield found

    def _lengths(self, source: Layer, target: Layer) -> dict[str, int]:
        """The grid behind a Flatten where the two sides read it out in another order, else nothing."""
        a, b = flattened_input(self.source, source), flattened_input(self.target, target)
        if a is None or b is None or a.channels_first == b.channels_first or max(b.space, default=1) == 1:
            return {}
        return b.lengths


def _backwards(rule: Rule, given: Tensor, wanted: Tensor, known: Mapping[str, int]) -> tuple[str, dict[str, Any]] | None:
    found = rule.joins(wanted.shape, given.shape, known)
    return None if found is None else (inverse(found[0]) if found[0] else "", found[1])


def _runners(pair: LayerPair, given: Tensor) -> tuple[str, ...]:
    role = given.name.rsplit("/", 1)[-1] if "/" in given.name else given.role
    return tuple(f"{name}/{role}" for name in pair.runners_up)


def sources_of(matches: Sequence[Match]) -> frozenset[str]:
    return frozenset(s for m in matches for s in m.sources)
