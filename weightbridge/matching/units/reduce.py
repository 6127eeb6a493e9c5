"""The reduced graph of a model: layer by layer, units with weights and the merges between them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.matching.units.attention import first_product
from weightbridge.matching.units.directions import is_twofold
from weightbridge.matching.units.fused_parts import Part, divided
from weightbridge.matching.units.if_branches import is_within, left_out, rivals
from weightbridge.matching.units.layer_units import (
    direction_units,
    extended,
    part_units,
    units_of,
    unknown_merge,
)
from weightbridge.matching.units.single_vectors import with_vectors
from weightbridge.matching.units.units import (
    Reduced,
    Unit,
    bridged,
)
from weightbridge.matching.units.units import without as without_family
from weightbridge.matching.units.whole_kernels import with_whole_kernels
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import AFFINE

PROJECTIONS = ("query", "key", "value")


def reduce_both(
    source: LayerGraph, target: LayerGraph, mapped: Collection[str] = ()
) -> tuple[Reduced, Reduced]:
    """Both reduced graphs, the source's as the target has it.

    Fused layers taken apart, one branch of an If of two models.

    mapped: layers of the source that the user has named.
    """
    other = reduce(target)
    out, told = left_out(source, other, mapped, lambda branches: reduce(source, without=branches))
    one = _without_scaling(reduce(source, without=out | told), other)
    keys = {u.name: f"{u.family}:{u.size}" for u in one.weighted}
    apart = divided(source.layers, keys, Counter(f"{u.family}:{u.size}" for u in other.weighted))
    if apart:
        one = _without_scaling(reduce(source, apart, out | told), other)
    known = rivals(out, one, reduce(source, apart, told)) if out else {}
    one, other = with_whole_kernels(one, other)
    return with_vectors(replace(_with_functions(one), rivals=known), other)


def reduce(
    graph: LayerGraph,
    apart: Mapping[str, tuple[Part, ...]] = MappingProxyType({}),
    without: frozenset[str] = frozenset(),
) -> Reduced:
    """The reduced graph of all layers with tensors and of the merges that join two or more data paths.

    apart: fused layers and the parts that they are taken apart into. without: branches that are left out.
    """
    growing = _Growing(graph, apart)
    for layer in graph.layers:
        if without and is_within(layer, without):
            growing.ends[layer.name] = ()
        else:
            growing.add(layer)
    read = {e for name in graph.outputs for e in growing.ends.get(name, ())}
    return _with_flat_merges(_without_loose(Reduced(graph, tuple(growing.units), growing.parents), read))


@dataclass(frozen=True, slots=True)
class _Growing:
    """ends: layer -> the units or inputs that its output comes from. absorbed: affine layers -> the unit that
    took them in.

    held: layers that hold a part of a fused one -> that part.
    """

    graph: LayerGraph
    apart: Mapping[str, tuple[Part, ...]]
    units: list[Unit] = field(default_factory=list)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ends: dict[str, tuple[str, ...]] = field(default_factory=dict)
    absorbed: dict[str, int] = field(default_factory=dict)
    held: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, layer: Layer) -> None:
        feeding = self._feeding(layer)
        home = self._affine_home(layer, feeding)
        if layer.name in self.held:
            self.ends[layer.name] = self.held[layer.name]
        elif is_twofold(layer):
            self._add_directions(layer, feeding)
        elif layer.name in self.apart:
            self._add_parts(layer, feeding)
        elif home is not None:
            self.units[home] = extended(self.units[home], layer)
            self.absorbed[layer.name] = home
            self.ends[layer.name] = (self.units[home].name,)
        else:
            self._add_chain(layer, feeding)

    def _feeding(self, layer: Layer) -> tuple[str, ...]:
        feeding = tuple(e for p in self.graph.parents[layer.name] for e in self.ends.get(p, ()))
        if not feeding and not self.graph.parents[layer.name]:
            return ("",) if layer.op == "Input" or not self.graph.has_flow else ()
        return feeding

    def _add_directions(self, layer: Layer, feeding: tuple[str, ...]) -> None:
        one, two, joined = direction_units(layer)
        self.units.extend((one, two, joined))
        self.parents.update({one.name: feeding, two.name: feeding, joined.name: (one.name, two.name)})
        self.ends[layer.name] = (joined.name,)

    def _add_parts(self, layer: Layer, feeding: tuple[str, ...]) -> None:
        made = part_units(layer, self.apart[layer.name])
        self.units.extend(made)
        self.parents.update(dict.fromkeys((u.name for u in made), feeding))
        self.ends[layer.name] = tuple(u.name for u in made)
        self.held.update({name: (u.name,) for u in made if u.part for name in u.part.layers})

    def _add_chain(self, layer: Layer, feeding: tuple[str, ...]) -> None:
        """The units of a layer, each fed by the one before."""
        attended = self._attended(layer)
        made = (Unit(layer.name, "Attention", 0, (layer,)),) if attended else units_of(layer, feeding)
        for unit in made or unknown_merge(layer, feeding, self.graph):
            self.parents[unit.name] = attended or feeding
            feeding = (unit.name,)
            self.units.append(unit)
        self.ends[layer.name] = feeding

    def _affine_home(self, layer: Layer, feeding: Sequence[str]) -> int | None:
        """The affine unit that this per-channel node continues, where nothing else reads the value between
        them.
        """
        direct = self.graph.parents[layer.name]
        if layer.op not in AFFINE or len(direct) != 1 or len(feeding) != 1 or not self.units:
            return None
        before = self.graph.by_name[direct[0]]
        if before.op not in AFFINE or len(self.graph.children[before.name]) != 1:
            return None
        found = self.absorbed.get(before.name)
        if found is not None:
            return found
        return next((i for i in reversed(range(len(self.units))) if self.units[i].name == before.name), None)

    def _attended(self, layer: Layer) -> tuple[str, ...]:
        """What feeds the second product of an attention: query, key and value; () for any other layer."""
        found = first_product(self.graph, layer.name)
        if found is None or len(self.parents.get(found[0], ())) != 2:
            return ()
        values = self.ends.get(self.graph.parents[layer.name][1 - found[1]], ())
        return (*self.parents[found[0]], *values) if len(values) == 1 else ()


def _without_scaling(one: Reduced, other: Reduced) -> Reduced:
    """Without products with a single stored number, where the other side stores none."""
    return one if any(u.family == "Rescaling" for u in other.units) else without_family(one, "Rescaling")


def _with_functions(reduced: Reduced) -> Reduced:
    """Layers, and parts of fused ones, that feed an attention are its query, key and value."""
    fed = (reduced.parents[u.name] for u in reduced.units if u.family == "Attention")
    apart = (names for names in fed if len(names) == len(set(names)) == len(PROJECTIONS))
    known = {name: function for names in apart for name, function in zip(names, PROJECTIONS, strict=True)}
    return (
        replace(
            reduced,
            units=tuple(replace(u, function=known[u.name]) if u.name in known else u for u in reduced.units),
        )
        if known
        else reduced
    )


def _without_loose(reduced: Reduced, read: set[str]) -> Reduced:
    """Merges that nothing reads any more (the scores within an attention, a mask's sum) are gone."""
    while True:
        loose = frozenset(
            u.name
            for u in reduced.units
            if not u.has_weights and not reduced.children[u.name] and u.name not in read
        )
        if not loose:
            return reduced
        kept = tuple(u for u in reduced.units if u.name not in loose)
        reduced = replace(reduced, units=kept, parents={u.name: reduced.parents[u.name] for u in kept})


def _with_flat_merges(reduced: Reduced) -> Reduced:
    """A concatenation that only another one of the same axis reads is part of that, a sum of a sum.

    Exporters join and split them.
    """

    def is_inner(unit: Unit) -> bool:
        reading = (
            set(reduced.children[unit.name])
            if unit.family in ("Concat", "Add") and not unit.has_weights
            else set()
        )
        readers = [reduced.by_name[name] for name in reading]
        return len(readers) == 1 and readers[0].family == unit.family and _axis(readers[0]) == _axis(unit)

    return bridged(reduced, frozenset(u.name for u in reduced.units if is_inner(u)))


def _axis(unit: Unit) -> Any:
    return unit.layer.attributes.get("axis") if unit.family == "Concat" else None
