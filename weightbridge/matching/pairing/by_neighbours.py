"""Neighbours: an open unit whose inputs are all paired corresponds to the only open unit with those inputs on
the other side.
"""

from collections.abc import Iterable, Mapping

from weightbridge.boundary.records import dataclass
from weightbridge.matching.confidence import SAME_SURROUNDINGS
from weightbridge.matching.context import Context, is_compatible, key
from weightbridge.matching.pairing.norm_placement import is_placed_alike
from weightbridge.matching.units.units import Unit
from weightbridge.matching.values import LayerPair

OPEN = "\0open"


def by_neighbours(context: Context) -> tuple[LayerPair, ...]:
    """Pairs of normalisations and other leftovers, sweep after sweep, until nothing new is found."""
    if not context.has_flow:
        return ()
    search = _Search(
        context,
        {t: p.source for t, p in context.pairs.items()},
        _grouped(context.source.parents, context.open_source()),
    )
    siblings = _grouped(context.target.parents, context.open_target())
    found: list[LayerPair] = []
    waiting: tuple[Unit, ...] = context.open_target()
    while waiting:
        new = search.sweep(waiting)
        found += new
        touched = {n for pair in new for n in search.around(pair.target, siblings)}
        waiting = tuple(
            sorted(
                (context.target.by_name[n] for n in touched), key=lambda u: context.target.position[u.name]
            )
        )
    return tuple(found)


def _grouped(
    parents: Mapping[str, tuple[str, ...]], units: Iterable[Unit]
) -> dict[tuple[str, ...], list[Unit]]:
    found: dict[tuple[str, ...], list[Unit]] = {}
    for unit in units:
        found.setdefault(parents[unit.name], []).append(unit)
    return found


@dataclass(frozen=True, slots=True)
class _Search:
    """chosen: target -> source, growing; candidates: open source units by what feeds them, shrinking."""

    context: Context
    chosen: dict[str, str]
    candidates: dict[tuple[str, ...], list[Unit]]

    def sweep(self, waiting: Iterable[Unit]) -> list[LayerPair]:
        """The pairs that what was chosen before this sweep decides."""
        found = []
        for unit in waiting:
            feeding = tuple(self._counterpart(p) for p in self.context.target.parents[unit.name])
            source = self._only(feeding, unit)
            if source is not None:
                found.append(
                    LayerPair(source.name, unit.name, SAME_SURROUNDINGS, ("structure", "shape", "one-sided"))
                )
                self.candidates[feeding].remove(source)
        self.chosen.update((p.target, p.source) for p in found)
        return found

    def around(self, name: str, siblings: dict[tuple[str, ...], list[Unit]]) -> Iterable[str]:
        """The open units that a new pair can decide.

        Those that it feeds, those that feed it, those that are fed by the same.
        """
        target = self.context.target
        beside = (u.name for u in siblings.get(target.parents[name], ()))
        near = (*target.children[name], *target.parents[name], *beside)
        return (n for n in near if n and n not in self.chosen)

    def _counterpart(self, parent: str) -> str:
        if not parent or parent in self.chosen:
            return self.chosen[parent] if parent else ""
        return self._counterpart(self.context.target.parents[parent][0]) if self._is_folded(parent) else OPEN

    def _is_folded(self, norm: str) -> bool:
        """Whether the norm is in the layer before it on the other side.

        That one has a bias there which it lacks here.
        """
        feeding = self.context.target.parents[norm]
        if (
            self.context.target.by_name[norm].family != "Norm"
            or len(feeding) != 1
            or feeding[0] not in self.chosen
        ):
            return False
        here, there = (
            self.context.target.by_name[feeding[0]],
            self.context.source.by_name[self.chosen[feeding[0]]],
        )
        return there.has_weights and "bias" in there.roles and "bias" not in here.roles

    def _only(self, feeding: tuple[str, ...], unit: Unit) -> Unit | None:
        fitting = [c for c in self.candidates.get(feeding, ()) if key(c) == key(unit) and self._fits(c, unit)]
        if feeding and len(fitting) > 1:
            fitting = [c for c in fitting if self._reads_alike(c, unit)]
        return fitting[0] if feeding and len(fitting) == 1 else None

    def _fits(self, source: Unit, target: Unit) -> bool:
        return is_compatible(source, target) and is_placed_alike(
            self.context.source, source.name, self.context.target, target.name
        )

    def _reads_alike(self, source: Unit, target: Unit) -> bool:
        """The units that read them are paired with each other."""
        reading = {self.chosen[c] for c in self.context.target.children[target.name] if c in self.chosen}
        return bool(reading) and reading == set(self.context.source.children[source.name])
