"""The reduced graph that is matched: units with weights and the merges between them; views, activations and pools drop out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

from weightbridge.graph import Layer, LayerGraph
from weightbridge.matching.directions import BACKWARD, FORWARD, JOINED, is_twofold
from weightbridge.tensors import Tensor

MERGES = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Dot", "Concat", "Attention", "MatMul"})
COMMUTATIVE = frozenset({"Add", "Multiply", "Average", "Maximum", "Minimum"})
LINEAR = frozenset({"Dense", "EinsumDense"})
AFFINE = frozenset({"Scale", "Shift"})
GATE = re.compile(r"^(kernel|recurrent_kernel|bias)_[ifcozrh]$")
MAIN_ROLES = ("kernel", "depthwise_kernel", "embeddings", "gamma", "moving_mean", "alpha", "scale", "shift")


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing to match: a layer with tensors, half of a separable convolution, a chain of per-channel affine nodes, or a merge.

    family: `Linear` for every 1x1 convolution and dense layer, `Norm` for BatchNorm and affine chains, else the layer's op.
    size: elements of its main tensor, 0 for a merge. members: the layers it stands for, in order.
    """

    name: str
    family: str
    size: int
    members: tuple[Layer, ...]
    tensors: tuple[tuple[str, Tensor], ...] = ()

    @property
    def layer(self) -> Layer:
        return self.members[0]

    @property
    def roles(self) -> Mapping[str, Tensor]:
        return dict(self.tensors)

    @property
    def has_weights(self) -> bool:
        return bool(self.tensors)


@dataclass(frozen=True)
class Reduced:
    """Units in file order and, per unit, the units or inputs that feed it (in input order, "" for a model input)."""

    graph: LayerGraph
    units: tuple[Unit, ...]
    parents: Mapping[str, tuple[str, ...]]

    @cached_property
    def by_name(self) -> Mapping[str, Unit]:
        return {u.name: u for u in self.units}

    @cached_property
    def position(self) -> Mapping[str, int]:
        return {u.name: i for i, u in enumerate(self.units)}

    @cached_property
    def weighted(self) -> tuple[Unit, ...]:
        return tuple(u for u in self.units if u.has_weights)

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {u.name: [] for u in self.units}
        for name, parents in self.parents.items():
            for parent in parents:
                if parent:
                    found[parent].append(name)
        return {name: tuple(items) for name, items in found.items()}


def reduce(graph: LayerGraph) -> Reduced:
    """The reduced graph of all layers with tensors and of the merges that join two or more data paths."""
    ends: dict[str, tuple[str, ...]] = {}  # layer -> the units or inputs that its output comes from
    units: list[Unit] = []
    parents: dict[str, tuple[str, ...]] = {}
    absorbed: dict[str, int] = {}
    for layer in graph.layers:
        feeding = tuple(e for p in graph.parents[layer.name] for e in ends.get(p, ()))
        if not feeding and not graph.parents[layer.name]:
            feeding = ("",) if layer.op == "Input" or not graph.has_flow else ()
        if is_twofold(layer):
            directions = _directions(layer)
            units += directions
            parents |= {u.name: feeding for u in directions[:2]} | {directions[2].name: (directions[0].name, directions[1].name)}
            ends[layer.name] = (directions[2].name,)
            continue
        home = _affine_home(layer, feeding, units, graph, absorbed)
        made = () if home is not None else _units_of(layer, feeding) or _unknown_merge(layer, feeding, graph)
        if home is not None:
            units[home] = _extended(units[home], layer)
            absorbed[layer.name] = home
            ends[layer.name] = (units[home].name,)
        for unit in made:
            parents[unit.name] = feeding
            feeding = (unit.name,)
            units.append(unit)
        if home is None:
            ends[layer.name] = feeding
    return _with_flat_concats(Reduced(graph, tuple(units), parents))


def _with_flat_concats(reduced: Reduced) -> Reduced:
    """A concatenation that only another one of the same axis reads is part of that: exporters join the two."""

    def is_inner(unit: Unit) -> bool:
        reading = set(reduced.children[unit.name]) if unit.family == "Concat" else set()
        readers = [reduced.by_name[name] for name in reading]
        return len(readers) == 1 and readers[0].family == "Concat" and _axis(readers[0]) == _axis(unit)

    return _bridged(reduced, frozenset(u.name for u in reduced.units if is_inner(u)))


def _axis(unit: Unit) -> Any:
    return unit.layer.attributes.get("axis")


def _unknown_merge(layer: Layer, feeding: Sequence[str], graph: LayerGraph) -> tuple[Unit, ...]:
    """A layer of unknown class that joins several data paths and has no weights: a scaled sum, more often than not."""
    is_one = graph.framework == "keras" and layer.op == "Opaque" and not layer.tensors and len(set(feeding)) > 1
    return (Unit(layer.name, "Add", 0, (layer,)),) if is_one else ()


def _units_of(layer: Layer, feeding: Sequence[str]) -> tuple[Unit, ...]:
    if layer.op == "SeparableConv" and layer.tensor("depthwise_kernel") and layer.tensor("pointwise_kernel"):
        return _halves(layer)
    if layer.tensors:
        tensors = tuple((t.role, t) for t in layer.tensors)
        return (Unit(layer.name, family(layer), _main_size(layer), (layer,), tensors),)
    if layer.op in MERGES and len(feeding) > 1 and (layer.op != "Concat" or len(set(feeding)) > 1):
        return (Unit(layer.name, layer.op, 0, (layer,)),)
    return ()


def _halves(layer: Layer) -> tuple[Unit, ...]:
    """A separable convolution as the depthwise and the pointwise one that exporters write."""
    depth = next(t for t in layer.tensors if t.role == "depthwise_kernel")
    rest = tuple(("kernel" if t.role == "pointwise_kernel" else t.role, t) for t in layer.tensors if t is not depth)
    point = next(t for role, t in rest if role == "kernel")
    return (
        Unit(f"{layer.name}\0depthwise", "DepthwiseConv", depth.size, (layer,), (("kernel", depth),)),
        Unit(layer.name, "Linear", point.size, (layer,), rest),
    )


def _directions(layer: Layer) -> tuple[Unit, Unit, Unit]:
    """Both directions of a bidirectional layer and what joins their outputs, as formats write them that keep two layers."""
    tensors = tuple((t.role, t) for t in layer.tensors)
    one, two = (Unit(f"{layer.name}{side}", family(layer), _main_size(layer) // 2, (layer,), tensors) for side in (FORWARD, BACKWARD))
    return one, two, Unit(f"{layer.name}{JOINED}", "Concat", 0, (layer,))


def _affine_home(layer: Layer, feeding: Sequence[str], units: Sequence[Unit], graph: LayerGraph, absorbed: Mapping[str, int]) -> int | None:
    """The affine unit that this per-channel node continues, where nothing else reads the value between them."""
    direct = graph.parents[layer.name]
    if layer.op not in AFFINE or len(direct) != 1 or len(feeding) != 1 or not units:
        return None
    before = graph.by_name[direct[0]]
    if before.op not in AFFINE or len(graph.children[before.name]) != 1:
        return None
    index = absorbed.get(before.name, next((i for i, u in enumerate(units) if u.name == before.name), -1))
    return index if index >= 0 else None


def _extended(unit: Unit, layer: Layer) -> Unit:
    tensors = (*unit.tensors, *((f"{t.role}{len(unit.members)}", t) for t in layer.tensors))
    return replace(unit, members=(*unit.members, layer), tensors=tensors)


def family(layer: Layer) -> str:
    """What a layer is for the purpose of matching, whoever wrote it."""
    if layer.op in LINEAR or (layer.op == "Conv" and _is_pointwise(layer)):
        return "Linear"
    if layer.op == "BatchNorm" or layer.op in AFFINE:
        return "Norm"
    return layer.op


def _is_pointwise(layer: Layer) -> bool:
    size = layer.attributes.get("kernel_size")
    return isinstance(size, tuple) and prod(size) == 1


def _main_size(layer: Layer) -> int:
    for role in MAIN_ROLES:
        tensor = layer.tensor(role)
        if tensor is not None:
            return tensor.size
    gates = [t.size for t in layer.tensors if plain_role(t.role) == "kernel"]
    if gates:
        return sum(gates)
    return max(t.size for t in layer.tensors)


def plain_role(role: str) -> str:
    """The role without its gate: Keras 1 keeps `kernel_i`, `kernel_f`, ... of a recurrent layer apart."""
    return GATE.sub(r"\1", role) if role[-2:-1] == "_" else role


def without(reduced: Reduced, family_name: str) -> Reduced:
    """The same graph with the units of one family bridged over."""
    return _bridged(reduced, frozenset(u.name for u in reduced.units if u.family == family_name))


def _bridged(reduced: Reduced, gone: frozenset[str]) -> Reduced:
    """Without these units: what read them reads what fed them."""
    if not gone:
        return reduced
    kept = tuple(u for u in reduced.units if u.name not in gone)
    through: dict[str, tuple[str, ...]] = {}
    for unit in reduced.units:
        feeding = tuple(e for p in reduced.parents[unit.name] for e in (through.get(p, (p,)) if p in gone else (p,)))
        through[unit.name] = feeding
    return Reduced(reduced.graph, kept, {u.name: through[u.name] for u in kept})
