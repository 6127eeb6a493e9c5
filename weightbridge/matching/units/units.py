"""The reduced graph that is matched: units with weights and the merges between them.

Views, activations and pools drop out.
"""

import re
from collections.abc import Mapping
from dataclasses import field, replace
from functools import cached_property
from math import prod

from weightbridge.boundary.records import dataclass
from weightbridge.matching.units.fused_parts import Part
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.scopes import scopes_of
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import AFFINE, DENSE

GATE = re.compile(r"^(kernel|recurrent_kernel|bias)_[ifcozrh]$")
MAIN_ROLES = ("kernel", "depthwise_kernel", "embeddings", "gamma", "moving_mean", "alpha", "scale", "shift")


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing to match: a layer with tensors, half of a separable convolution, a chain of per-channel
    affine nodes, or a merge.

    family: `Linear` for every 1x1 convolution and dense layer, `Norm` for BatchNorm and affine chains, else
    the layer's op.
    size: elements of its main tensor, 0 for a merge. members: the layers it stands for, in order. part: what
    it is of a fused layer, and
    function what this part is for, where the graph tells (`query`).
    """

    name: str
    family: str
    size: int
    members: tuple[Layer, ...]
    tensors: tuple[tuple[str, Tensor], ...] = ()
    part: Part | None = None
    function: str = ""

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
    """Units in file order and, per unit, the units or inputs that feed it (in input order, "" for a model
    input).

    rivals: what stands at a unit's place in the other branch of an If, where that would do as well.
    """

    graph: LayerGraph
    units: tuple[Unit, ...]
    parents: Mapping[str, tuple[str, ...]]
    rivals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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
    def scopes(self) -> frozenset[str]:
        """The names that layers with weights stand in: of nested models, wrappers and blocks."""
        return frozenset(scopes_of(unit.layer.name for unit in self.weighted))

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {u.name: [] for u in self.units}
        for name, parents in self.parents.items():
            for parent in parents:
                if parent:
                    found[parent].append(name)
        return {name: tuple(items) for name, items in found.items()}


def family(layer: Layer) -> str:
    """What a layer is for the purpose of matching, whoever wrote it."""
    if layer.op in DENSE or (layer.op == "Conv" and _is_pointwise(layer)):
        return "Linear"
    if layer.op == "BatchNorm" or layer.op in AFFINE:
        return "Norm"
    return "DepthwiseConv" if layer.op == "Conv" and _is_by_channel(layer) else layer.op


def _is_by_channel(layer: Layer) -> bool:
    """As many groups as channels: Keras has two classes for that, ONNX and torch write both as one.

    Of one channel nothing tells.
    """
    kernel = layer.tensor("kernel")
    size = layer.attributes.get("kernel_size")
    if kernel is None or (isinstance(size, tuple) and kernel.size == prod(size)):
        return kernel is not None
    is_keras = layer.class_name not in ("", "Conv")
    return is_keras and layer.attributes.get("groups", 1) > 1 and kernel.shape[-2:-1] == (1,)


def _is_pointwise(layer: Layer) -> bool:
    size = layer.attributes.get("kernel_size")
    return isinstance(size, tuple) and prod(size) == 1


def main_size(layer: Layer) -> int:
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
    return bridged(reduced, frozenset(u.name for u in reduced.units if u.family == family_name))


def bridged(reduced: Reduced, gone: frozenset[str]) -> Reduced:
    """Without these units: what read them reads what fed them."""
    if not gone:
        return reduced
    kept = tuple(u for u in reduced.units if u.name not in gone)
    through: dict[str, tuple[str, ...]] = {}
    for unit in reduced.units:
        feeding = tuple(
            e for p in reduced.parents[unit.name] for e in (through.get(p, (p,)) if p in gone else (p,))
        )
        through[unit.name] = feeding
    return replace(reduced, units=kept, parents={u.name: through[u.name] for u in kept})
