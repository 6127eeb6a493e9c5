"""Leaves: what is matched by name, a unit with weights or one tensor of a custom layer.

`layers.0.mlp.fc1` with kernel and bias is one leaf; a layer of unknown class has one for each tensor.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from weightbridge.boundary.records import dataclass
from weightbridge.matching.units.unit_names import layer_of
from weightbridge.matching.units.units import MAIN_ROLES, Reduced, Unit, plain_role
from weightbridge.model.graph import Layer
from weightbridge.model.layouts import length_of
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import CONVOLUTIONS
from weightbridge.rules.names import function_of
from weightbridge.rules.words import words

PLANE = 4  # axes of a kernel in two dimensions
APART = frozenset({"reverse_embeddings"})  # an output head that is kept in the layer of the embedding
# Roles that add nothing to a layer's name.
PLAIN = frozenset({"kernel", "weight", "bias", "embeddings", "gamma", "beta", "scale", ""})
STACKED = 3  # axes of matrices in a stack, and of the kernel of a Conv1D
ATTENDING = frozenset({"query", "key", "value"})
Kind = Literal["matrix", "conv", "norm", "vector"]
Tensors = tuple[tuple[str, Tensor], ...]  # role, tensor


@dataclass(frozen=True, slots=True)
class Leaf:
    """One thing to match by name.

    name: the unit's, or the tensor's where it stands alone. words: its whole path. size: elements of its main
    tensor. flow: (in, out) of a matrix or convolution whose axes are known.
    """

    name: str
    unit: Unit
    words: tuple[str, ...]
    kind: Kind
    size: int
    tensors: Tensors
    flow: tuple[int, int] | None = None

    @property
    def layer(self) -> Layer:
        return self.unit.layer

    @property
    def main(self) -> Tensor:
        return main_of(self.tensors)

    @property
    def is_whole(self) -> bool:
        """Whether it is a unit with all its tensors."""
        return len(self.tensors) == len(self.unit.tensors)

    @property
    def parameters(self) -> int:
        return sum(t.size for _, t in self.tensors)


def leaves_of(reduced: Reduced) -> tuple[Leaf, ...]:
    """All leaves of the units that have weights, in the order of the graph."""
    holders = _holders(reduced.weighted)
    leaves: list[Leaf] = []
    for unit in reduced.weighted:
        for leaf in _leaves(unit):
            is_beside_layers = unit.name in holders and len(leaf.tensors) == 1
            leaves.append(_without_guess(leaf) if is_beside_layers else leaf)
    return tuple(leaves)


def _holders(units: Iterable[Unit]) -> frozenset[str]:
    """The layers that have layers of their own."""
    return frozenset(unit.name.rpartition("/")[0] for unit in units if "/" in unit.name)


def _without_guess(leaf: Leaf) -> Leaf:
    """A lone tensor of a layer that holds others is no norm's and no convolution's.

    It is a class token, a scale, a table of positions.
    """
    if leaf.kind == "conv" and len(leaf.main.shape) == STACKED:
        first, *others = leaf.unit.members
        unknown = replace(first, op="Opaque")
        return replace(leaf, kind="matrix", unit=replace(leaf.unit, members=(unknown, *others)))
    return replace(leaf, kind="vector") if leaf.kind == "norm" else leaf


def _leaves(unit: Unit) -> Iterable[Leaf]:
    """The unit as one leaf; tensors that other models keep in layers of their own as leaves beside it."""
    if unit.layer.op == "Opaque" and len(unit.tensors) > 1:
        return tuple(_leaf(tensor.name, unit, ((role, tensor),)) for role, tensor in unit.tensors)
    own, apart, fused = _own_apart_fused(unit)
    named = [(unit.name, own)]
    named += [(f"{unit.name}/{role}", ((role, tensor),)) for role, tensor in apart]
    named += [(f"{unit.name}/in_proj", fused)]
    return tuple(_leaf(name, unit, tensors) for name, tensors in named if tensors)


def _own_apart_fused(unit: Unit) -> tuple[Tensors, Tensors, Tensors]:
    """The tensors of the unit itself, those that others keep apart, and a fused projection of attention."""
    fused = tuple(item for item in unit.tensors if item[0].startswith("in_proj_"))
    apart = tuple(item for item in unit.tensors if _is_apart(item[0], unit))
    own = tuple(item for item in unit.tensors if item not in (*fused, *apart))
    return own, apart, fused


def _is_apart(role: str, unit: Unit) -> bool:
    """Whether it is an output head in an embedding, or what else stands beside the table of one."""
    has_table = unit.layer.op == "Embedding" and any(name == "embeddings" for name, _ in unit.tensors)
    return role in APART or (has_table and role != "embeddings")


def _leaf(name: str, unit: Unit, tensors: Tensors) -> Leaf:
    main = main_of(tensors)
    path = _with_function(words(_telling_name(layer_of(name), unit, main)), unit)
    if unit.layer.op == "Conv" and len(main.shape) == STACKED and "attention" in path:
        einsum = replace(unit.layer, op="EinsumDense")  # what a reader without a class took for a Conv1D
        unit = replace(unit, members=(einsum, *unit.members[1:]))
    kind = _kind(unit, main, len(tensors), path)
    flow = _flow(unit.layer, main) if kind in ("matrix", "conv") else None
    if unit.part:
        flow = (flow[0], unit.part.length) if flow else None
        return Leaf(name, unit, path, kind, unit.size, tensors, flow)
    return Leaf(name, unit, path, kind, main.size, tensors, flow)


def _with_function(path: tuple[str, ...], unit: Unit) -> tuple[str, ...]:
    """The path, with what the graph tells that the unit is for where its name does not say so."""
    function = function_of(path, "matrix").removeprefix("cross_")
    if not unit.function or (function in ATTENDING and not unit.part):
        return path
    return (*path, unit.function)


def _telling_name(name: str, unit: Unit, main: Tensor) -> str:
    """The name, or that of the tensor where a layer of unknown class has one alone and it says more.

    `self.relative_position_bias_table` says more than `self`.
    """
    if unit.layer.op != "Opaque" or len(unit.tensors) != 1:
        return name
    return name if main.role in PLAIN or main.role.isdigit() else main.name


def _flow(layer: Layer, main: Tensor) -> tuple[int, int] | None:
    """(in, out) of a matrix, or of those of a stack, where its axes are known.

    What a convolution reads is its window: that of an image's patch may be a matrix on the other side.
    """
    inputs, outputs = length_of(main, "i"), length_of(main, "o")
    if inputs is None or outputs is None:
        return None
    if layer.op == "Conv" and len(main.shape) >= PLANE:
        return main.size // max(outputs, 1), outputs
    return (inputs, outputs) if layer.op in ("Dense", "Opaque") else None


def main_of(tensors: Tensors) -> Tensor:
    """The kernel, the table or the scale; the largest where the roles say nothing."""
    by_role = {plain_role(role): tensor for role, tensor in tensors}
    for role in MAIN_ROLES:
        if role in by_role:
            return by_role[role]
    return max((tensor for _, tensor in tensors), key=lambda tensor: tensor.size)


def _kind(unit: Unit, main: Tensor, count: int, path: tuple[str, ...]) -> Kind:
    axes = sum(n > 1 for n in main.shape)
    if unit.layer.op in CONVOLUTIONS and axes > 2:
        return "conv"
    if axes > 1:
        return "matrix"
    is_norm = unit.layer.op.endswith("Norm") or path[-1:] == ("norm",)
    return "norm" if is_norm or count > 1 else "vector"
