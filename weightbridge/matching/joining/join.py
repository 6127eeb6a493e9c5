"""Inside a matched pair: role by role, the rule that joins each target tensor to a source tensor."""

from collections.abc import Callable
from dataclasses import field

from weightbridge.boundary.records import dataclass
from weightbridge.matching.joining.as_vector import as_vector
from weightbridge.matching.joining.bias_rows import bias_rows
from weightbridge.matching.joining.by_rules import by_rules, names_pair
from weightbridge.matching.joining.cudnn import both_plain, converted, converted_match, plain_sides
from weightbridge.matching.joining.older_keras import joined_gates
from weightbridge.matching.joining.same_layout import has_other_kernel, moved_kernel, same_layout
from weightbridge.matching.joining.same_operation import as_same_operation
from weightbridge.matching.joining.sides import Side
from weightbridge.matching.joining.tying import tied_tensor
from weightbridge.matching.joining.unflattening import with_output_order
from weightbridge.matching.joining.whole_kernels import (
    is_whole_kernel,
    separable_product,
    whole_kernel,
)
from weightbridge.matching.units.directions import direction_of, one_direction, selected
from weightbridge.matching.units.flattening import flatten_lengths, is_other_grid
from weightbridge.matching.units.fused_parts import output_axis
from weightbridge.matching.units.single_vectors import lone_tensor
from weightbridge.matching.units.unit_names import layer_of
from weightbridge.matching.units.units import Unit
from weightbridge.matching.values import LayerPair, Match
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import has_layouts_of
from weightbridge.model.tensors import Tensor
from weightbridge.model.vectors import Transform, signed
from weightbridge.rules.layouts import Rule

Kind = tuple[str, str]  # op and role


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of one pair.

    Exact matches, pairs of tensors that no exact transform joins, target tensors without a counterpart.
    """

    matches: tuple[Match, ...]
    misfits: tuple[tuple[str, str], ...]
    missing: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Joiner:
    """What joining needs beside the pair: both graphs, and the rules, read when the first is needed."""

    rules: Callable[[], tuple[Rule, ...]]
    source: LayerGraph
    target: LayerGraph
    named: dict[tuple[Kind, Kind], tuple[Rule, ...]] = field(default_factory=dict)

    def join(self, pair: LayerPair, source: Unit, target: Unit) -> Joined:
        """The matches of all tensors of the target's unit."""
        matches: list[Match] = []
        misfits: list[tuple[str, str]] = []
        missing: list[Tensor] = []
        whole = source.layer, target.layer
        source, target = both_plain(source, target)
        for role, tensor in target.tensors:
            given = self._counterpart(source, target, role)
            several = bias_rows(source, target, role, tensor) or separable_product(
                source, target, role, tensor
            )
            if several is None and given is None:
                several = joined_gates(source, role, tensor)
            if several is not None:
                matches.append(_match(pair, tensor, converted_match(several, *whole, role)))
            elif given is None:
                missing.append(tensor)
            elif transform := self.of_part(source, target, role, given, tensor):
                found = converted(transform, *whole, role)
                matches.append(_match(pair, tensor, ((given.name,), *found), self._runners(pair, given)))
            else:
                misfits.append((given.name, tensor.name))
        return Joined(tuple(matches), tuple(misfits), tuple(missing))

    def _counterpart(self, source: Unit, target: Unit, role: str) -> Tensor | None:
        own = source.roles.get(role)
        return own or tied_tensor(self.source, source.layer, role) or lone_tensor(source, target)

    def _runners(self, pair: LayerPair, given: Tensor) -> tuple[str, ...]:
        """The tensors of the same role in the layers that would do as well."""
        layers = (self.source.by_name.get(layer_of(name)) for name in pair.runners_up)
        tensors = (layer.tensor(given.role) for layer in layers if layer is not None)
        return tuple(tensor.name for tensor in tensors if tensor is not None)

    def of_part(
        self, source: Unit, target: Unit, role: str, given: Tensor, wanted: Tensor
    ) -> Transform | None:
        """The transform, of the part of a fused layer that the source's unit stands for."""
        if source.part is None:
            return self._directed(source, target, role, given, wanted)
        axis = output_axis(source.layer, given)
        if axis is None:
            return None
        transform = self._transform(source.layer, target.layer, role, source.part.of(given, axis), wanted)
        return None if transform is None else source.part.sliced(transform, axis)

    def _directed(
        self, source: Unit, target: Unit, role: str, given: Tensor, wanted: Tensor
    ) -> Transform | None:
        """The transform, of the one direction that the source's unit stands for."""
        direction = direction_of(source.name)
        if direction is None or direction_of(target.name) is not None:
            return self._transform(source.layer, target.layer, role, given, wanted)
        transform = self._transform(source.layer, target.layer, role, one_direction(given), wanted)
        return None if transform is None else selected(transform, direction)

    def transform(self, source: Layer, target: Layer, given: Tensor, wanted: Tensor) -> Transform | None:
        """The exact transform of one tensor into another and its parameters, "" for a copy.

        None where no rule joins them.
        """
        sides = Side(self.source, source, given), Side(self.target, target, wanted)
        plain = plain_sides(*sides)
        found = self._transform(plain[0].layer, plain[1].layer, wanted.role, plain[0].tensor, plain[1].tensor)
        return None if found is None else converted(found, source, target, wanted.role)

    def _transform(
        self, source: Layer, target: Layer, role: str, given: Tensor, wanted: Tensor
    ) -> Transform | None:
        if given.is_float and wanted.dtype in ("int8", "uint8"):
            return None  # floats are no codes
        if given.dtype.startswith(("int", "uint")) and wanted.dtype.startswith(("float", "bfloat")):
            return None  # codes of a quantised tensor, whose scales are elsewhere
        sides = Side(self.source, source, given), Side(self.target, target, wanted)
        if role == "kernel" and self.has_one_layout and has_other_kernel(*sides):
            return moved_kernel(*sides)
        if role == "kernel" and is_whole_kernel(*sides):
            return whole_kernel(*sides)
        if role == "kernel" and is_other_grid(sides[0].place, sides[1].place):
            return None
        sides = as_same_operation(*sides)
        transform = signed(self._unsigned(*sides, role), sides[0].layer, sides[1].layer, role)
        return with_output_order(transform, sides[0].place, sides[1].place, wanted.shape)

    def _unsigned(self, source: Side, target: Side, role: str) -> Transform | None:
        flattened = flatten_lengths(source.place, target.place) if role == "kernel" else {}
        if not flattened:
            transform = same_layout(source, target)
            if transform is not None:
                return transform
            if self.has_one_layout and source.tensor.shape == target.tensor.shape:
                return "", {}
        rules = self._named((source.layer.op, source.tensor.role), (target.layer.op, target.tensor.role))
        return by_rules(rules, source, target, flattened) or as_vector(source, target)

    @property
    def has_one_layout(self) -> bool:
        """Whether tensors that no rule speaks of have the same axes on both sides."""
        return has_layouts_of(self.source, self.target)

    def _named(self, source: Kind, target: Kind) -> tuple[Rule, ...]:
        """The rules that name these two ops and roles, in either direction; looked for once."""
        if (source, target) not in self.named:
            rules = tuple(rule for rule in self.rules() if names_pair(rule, source, target))
            self.named[source, target] = rules
        return self.named[source, target]


def _match(
    pair: LayerPair,
    tensor: Tensor,
    sources: tuple[tuple[str, ...], str, dict[str, object]],
    runners_up: tuple[str, ...] = (),
) -> Match:
    return Match(tensor.name, *sources, False, pair.confidence, pair.evidence, runners_up)
