"""What every matcher is given.

Both reduced graphs, the pairs found so far, and what the user asked for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from functools import cached_property

from weightbridge.boundary.records import dataclass
from weightbridge.matching.units.units import Reduced, Unit, plain_role
from weightbridge.matching.values import LayerPair, NormOwners


@dataclass(frozen=True, slots=True)
class OneFlow:
    """One side has data flow, the other lists its layers. is_source: whether the flow is the source's."""

    flow: Reduced
    listed: Reduced
    is_source: bool


@dataclass(frozen=True)
class Context:
    """Pairs join unit names (target -> pair).

    closed_source, closed_target: units that are dealt with, or that must not be guessed.
    is_listed_alike: whether both files list the same layers in Keras's order (pairing/keras_order).
    norm_owners: known when all pairs are.
    """

    source: Reduced
    target: Reduced
    pairs: Mapping[str, LayerPair]
    user_map: tuple[tuple[str, str], ...] = ()
    closed_source: frozenset[str] = frozenset()
    closed_target: frozenset[str] = frozenset()
    is_listed_alike: bool = False
    norm_owners: NormOwners = field(default_factory=NormOwners)

    @cached_property
    def taken(self) -> frozenset[str]:
        """Source units that a pair uses already."""
        return frozenset(p.source for p in self.pairs.values())

    @cached_property
    def has_flow(self) -> bool:
        return self.source.graph.has_flow and self.target.graph.has_flow

    @property
    def one_flow(self) -> OneFlow | None:
        """The side that alone has data flow beside the other; None where both have it or neither."""
        is_source = self.source.graph.has_flow
        if is_source == self.target.graph.has_flow:
            return None
        flow, listed = (self.source, self.target) if is_source else (self.target, self.source)
        return OneFlow(flow, listed, is_source)

    @property
    def is_complete(self) -> bool:
        """Whether every unit of one side has its pair: nothing more can be found."""
        return len(self.pairs) == len(self.target.units) or len(self.taken) == len(self.source.units)

    def open_source(self) -> tuple[Unit, ...]:
        return tuple(u for u in self.source.units if not self.is_source_done(u.name))

    def open_target(self) -> tuple[Unit, ...]:
        return tuple(u for u in self.target.units if not self.is_target_done(u.name))

    def is_source_done(self, name: str) -> bool:
        """Whether a unit of the source has its pair, or is dealt with."""
        return name in self.taken or name in self.closed_source

    def is_target_done(self, name: str) -> bool:
        return name in self.pairs or name in self.closed_target

    def with_pairs(self, found: Iterable[LayerPair]) -> "Context":
        """A new context; a pair whose source or target is taken is dropped: stronger evidence came first."""
        pairs, taken = dict(self.pairs), set(self.taken)
        for pair in found:
            if pair.target not in pairs and pair.source not in taken:
                pairs[pair.target] = pair
                taken.add(pair.source)
        return replace(self, pairs=pairs)

    def closing(self, source: Iterable[str], target: Iterable[str]) -> "Context":
        """A new context in which these units too are dealt with."""
        return replace(
            self,
            closed_source=self.closed_source.union(source),
            closed_target=self.closed_target.union(target),
        )


def key(unit: Unit) -> str:
    """Family and number of weights: two units of one key can stand for each other, whatever their layouts."""
    return f"{unit.family}:{unit.size}"


def _plain(unit: Unit) -> frozenset[str]:
    return frozenset(plain_role(role) for role, _ in unit.tensors)


def is_compatible(source: Unit, target: Unit) -> bool:
    """The same family and a role in common: worth pairing even where shapes differ."""
    if source.has_weights != target.has_weights:
        return False
    known = source.family == target.family or "Opaque" in (source.family, target.family)
    return known and (
        not source.has_weights or source.family == "Norm" or bool(_plain(source) & _plain(target))
    )
