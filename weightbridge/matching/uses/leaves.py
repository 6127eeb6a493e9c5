"""Leaves: what is matched where names are all there is. A unit with weights, or one tensor of a layer of
unknown class.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from weightbridge.matching.units.units import MAIN_ROLES, Reduced, Unit, plain_role
from weightbridge.model.graph import Layer
from weightbridge.model.layouts import length_of
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import CONVOLUTIONS
from weightbridge.rules.names import function_of
from weightbridge.rules.words import words

PLANE = 4  # axes of a kernel in two dimensions
APART = frozenset({"reverse_embeddings"})  # an output head that is kept in the layer of the embedding
PLAIN = frozenset(
    {"kernel", "weight", "bias", "embeddings", "gamma", "beta", "scale", ""}
)  # roles that add nothing to a layer's name
STACKED = 3  # axes of matrices in a stack, and of the kernel of a Conv1D
ATTENDING = frozenset({"query", "key", "value"})
Kind = Literal["matrix", "conv", "norm", "vector"]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One thing to match by name.

    name: the unit's, or the tensor's where it stands alone. words: its whole path. size: elements of its main
    tensor.
    """

    name: str
    unit: Unit
    words: tuple[str, ...]
    kind: Kind
    size: int
    tensors: tuple[tuple[str, Tensor], ...]
    flow: tuple[int, int] | None = None  # (in, out) of a matrix or convolution whose orientation is known

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
    """A lone tensor of a layer that holds others is no norm's and no convolution's: a class token, a scale, a
    table of positions.
    """
    if leaf.kind == "conv" and len(leaf.main.shape) == STACKED:
        first, *others = leaf.unit.members
        return replace(
            leaf, kind="matrix", unit=replace(leaf.unit, members=(replace(first, op="Opaque"), *others))
        )
    return replace(leaf, kind="vector") if leaf.kind == "norm" else leaf


def _leaves(unit: Unit) -> Iterable[Leaf]:
    if unit.layer.op == "Opaque" and len(unit.tensors) > 1:
        return tuple(_leaf(t.name, unit, ((role, t),)) for role, t in unit.tensors)
    fused = tuple((role, t) for role, t in unit.tensors if role.startswith("in_proj_"))
    tables = {role for role, _ in unit.tensors} & {"embeddings"} if unit.layer.op == "Embedding" else set()
    apart = tuple((role, t) for role, t in unit.tensors if role in APART or (tables and role not in tables))
    own = tuple(item for item in unit.tensors if item not in fused and item not in apart)
    found = [_leaf(f"{unit.name}/{role}", unit, ((role, t),)) for role, t in apart]
    found += [_leaf(f"{unit.name}/in_proj", unit, fused)] if fused else []
    return ([_leaf(unit.name, unit, own)] if own else []) + found


def _leaf(name: str, unit: Unit, tensors: tuple[tuple[str, Tensor], ...]) -> Leaf:
    main = main_of(tensors)
    path = _with_function(words(_told(name.partition("\0")[0], unit, main)), unit)
    if (
        unit.layer.op == "Conv" and len(main.shape) == STACKED and "attention" in path
    ):  # what a reader without a class took for a Conv1D
        unit = replace(unit, members=(replace(unit.layer, op="EinsumDense"), *unit.members[1:]))
    kind = _kind(unit, main, len(tensors), path)
    flow = _flow(unit.layer, main) if kind in ("matrix", "conv") else None
    if unit.part:
        return Leaf(name, unit, path, kind, unit.size, tensors, flow and (flow[0], unit.part.length))
    return Leaf(name, unit, path, kind, main.size, tensors, flow)


def _with_function(path: tuple[str, ...], unit: Unit) -> tuple[str, ...]:
    """The path, with what the graph tells that the unit is for where its name does not say so."""
    named = function_of(path, "matrix").removeprefix("cross_")
    return path if not unit.function or (named in ATTENDING and not unit.part) else (*path, unit.function)


def _told(name: str, unit: Unit, main: Tensor) -> str:
    """The name; that of the tensor where a layer of unknown class has one alone and it says more
    (`self.relative_position_bias_table`).
    """
    says_more = (
        unit.layer.op == "Opaque"
        and len(unit.tensors) == 1
        and main.role not in PLAIN
        and not main.role.isdigit()
    )
    return main.name if says_more else name


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


def main_of(tensors: tuple[tuple[str, Tensor], ...]) -> Tensor:
    """The kernel, the table or the scale; the largest where the roles say nothing."""
    roles = {plain_role(role): tensor for role, tensor in tensors}
    return next(
        (roles[role] for role in MAIN_ROLES if role in roles),
        max((t for _, t in tensors), key=lambda t: t.size),
    )


def _kind(unit: Unit, main: Tensor, count: int, path: tuple[str, ...]) -> Kind:
    axes = sum(n > 1 for n in main.shape)
    if unit.layer.op in CONVOLUTIONS and axes > 2:
        return "conv"
    if axes > 1:
        return "matrix"
    is_norm = unit.layer.op.endswith("Norm") or path[-1:] == ("norm",)
    return "norm" if is_norm or count > 1 else "vector"
