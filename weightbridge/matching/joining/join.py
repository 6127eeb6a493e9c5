"""Inside a matched pair: role by role, the rule that joins each target tensor to a source tensor."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from weightbridge.matching.joining.bias_rows import bias_rows
from weightbridge.matching.joining.older_keras import is_stored_otherwise, joined_gates, older_kernel
from weightbridge.matching.joining.same_layout import CHANNELS_FIRST, same_layout
from weightbridge.matching.joining.stored_axes import (
    as_grouped,
    as_seen,
    from_stored,
    seen,
    seen_shape,
    stored,
)
from weightbridge.matching.joining.tying import tied_tensor
from weightbridge.matching.joining.unflattening import with_output_order
from weightbridge.matching.units.directions import direction_of, one_direction, selected
from weightbridge.matching.units.flattening import flatten_lengths, reads_channels_first
from weightbridge.matching.units.fused_parts import output_axis
from weightbridge.matching.units.single_vectors import lone_tensor
from weightbridge.matching.units.units import Unit
from weightbridge.matching.values import LayerPair, Match
from weightbridge.model.axes import inverse
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.model.vectors import Transform, signed, vector_pattern
from weightbridge.rules.layouts import Rule

BY_CHANNEL = frozenset({"DepthwiseConv", "SeparableConv"})
GROUPED = frozenset({"gamma", "beta"})  # of a GroupNorm that an exporter wrote with its groups as an axis


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of one pair: exact matches, pairs of tensors that no exact transform joins, target tensors
    without a counterpart.
    """

    matches: tuple[Match, ...]
    misfits: tuple[tuple[str, str], ...]
    missing: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Joiner:
    """The rules (read when the first is needed) and both graphs: what joining needs beside the pair itself."""

    rules: Callable[[], tuple[Rule, ...]]
    source: LayerGraph
    target: LayerGraph
    named: dict[tuple[str, str, str, str], tuple[Rule, ...]] = field(default_factory=dict)

    def join(self, pair: LayerPair, source: Unit, target: Unit) -> Joined:
        matches, misfits, missing = [], [], []
        roles = source.roles
        for role, tensor in target.tensors:
            rows = bias_rows(source, target, role, tensor)
            if rows is not None:
                matches.append(Match(tensor.name, *rows, False, pair.confidence, pair.evidence))
                continue
            given = (
                roles.get(role) or tied_tensor(self.source, source.layer, role) or lone_tensor(source, target)
            )
            if given is None:
                gates = joined_gates(source, role, tensor)
                if gates:
                    names = tuple(t.name for t in gates)
                    matches.append(
                        Match(
                            tensor.name,
                            names,
                            "concatenate",
                            {"axis": -1},
                            False,
                            pair.confidence,
                            pair.evidence,
                        )
                    )
                else:
                    missing.append(tensor)
                continue
            found = self.of_part(source, target, role, given, tensor)
            if found is None:
                misfits.append((given.name, tensor.name))
                continue
            matches.append(
                Match(
                    tensor.name,
                    (given.name,),
                    *found,
                    False,
                    pair.confidence,
                    pair.evidence,
                    self._runners(pair, given),
                )
            )
        return Joined(tuple(matches), tuple(misfits), tuple(missing))

    def _runners(self, pair: LayerPair, given: Tensor) -> tuple[str, ...]:
        """The tensors of the same role in the layers that would do as well."""
        layers = (self.source.by_name.get(name.partition("\0")[0]) for name in pair.runners_up)
        tensors = (layer.tensor(given.role) for layer in layers if layer is not None)
        return tuple(tensor.name for tensor in tensors if tensor is not None)

    def of_part(
        self, source: Unit, target: Unit, role: str, given: Tensor, wanted: Tensor
    ) -> Transform | None:
        """The transform, of the part of a fused layer that the source's unit stands for."""
        axis = None if source.part is None else output_axis(source.layer, given)
        if source.part is None or axis is None:
            return self._directed(source, target, role, given, wanted) if source.part is None else None
        found = self._transform(source.layer, target.layer, role, source.part.of(given, axis), wanted)
        return None if found is None else source.part.sliced(found, axis)

    def _directed(
        self, source: Unit, target: Unit, role: str, given: Tensor, wanted: Tensor
    ) -> Transform | None:
        """The transform, of the one direction that the source's unit stands for."""
        direction = direction_of(source.name)
        if direction is None or direction_of(target.name) is not None:
            return self._transform(source.layer, target.layer, role, given, wanted)
        found = self._transform(source.layer, target.layer, role, one_direction(given), wanted)
        return None if found is None else selected(found, direction)

    def transform(self, source: Layer, target: Layer, given: Tensor, wanted: Tensor) -> Transform | None:
        """The exact transform of one tensor into another and its parameters, "" for a copy; None where no
        rule joins them.
        """
        return self._transform(source, target, wanted.role, given, wanted)

    def _transform(
        self, source: Layer, target: Layer, role: str, given: Tensor, wanted: Tensor
    ) -> Transform | None:
        if given.dtype.startswith(("int", "uint")) and wanted.dtype.startswith(("float", "bfloat")):
            return None  # codes of a quantised tensor, whose scales are elsewhere
        known = flatten_lengths((self.source, source), (self.target, target)) if role == "kernel" else {}
        if (
            role == "kernel"
            and self.source.framework == self.target.framework
            and is_stored_otherwise(source, target)
        ):
            return older_kernel(source, target, given, wanted)
        source, target = _grouped(self.source, source, target), _grouped(self.target, target, source)
        source, target = _by_channel(source, given, target), _by_channel(target, wanted, source)
        frameworks = self.source.framework, self.target.framework
        found: Transform | None = None if known else same_layout(frameworks, source, target, given, wanted)
        if found is None and frameworks[0] == frameworks[1] and given.shape == wanted.shape and not known:
            found = ("", {})
        elif found is None:
            found = next(self._by_rules(source, target, given, wanted, known), None) or _as_vector(
                given, wanted, is_open=source.op == target.op == "Opaque"
            )
        return with_output_order(
            signed(found, source, target, role), (self.source, source), (self.target, target), wanted.shape
        )

    def _named(self, *pair: *tuple[str, str, str, str]) -> tuple[Rule, ...]:
        """The rules that name these two ops and roles, in either direction; looked for once."""
        if pair not in self.named:
            self.named[pair] = tuple(
                r for r in self.rules() if _names(r, pair) or _names(r, pair[2:] + pair[:2])
            )
        return self.named[pair]

    def _by_rules(
        self, source: Layer, target: Layer, given: Tensor, wanted: Tensor, known: Mapping[str, int]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        here = (self.source.framework, source.op, given.role, source.attributes)
        there = (self.target.framework, target.op, wanted.role, target.attributes)
        turned = bool(known) and not reads_channels_first((self.source, source), (self.target, target))
        for rule in self._named(source.op, given.role, target.op, wanted.role):
            if bool(rule.lengths) != bool(known):
                continue
            if not turned and rule.source.admits(*here) and rule.target.admits(*there):
                found = _forwards(rule, source, given, wanted, known)
            elif (
                (turned or not known)
                and rule.axes
                and not rule.transform
                and rule.target.admits(*here)
                and rule.source.admits(*there)
            ):
                found = _backwards(rule, given, wanted, known)
            else:
                continue
            if found is not None:
                yield found


def _grouped(graph: LayerGraph, layer: Layer, other: Layer) -> Layer:
    """ONNX and torch keep a convolution by channel as they keep any with groups, which is what Keras has
    where it is written so.
    """
    is_one = (
        graph.framework in CHANNELS_FIRST
        and layer.op == "DepthwiseConv"
        and other.op == "Conv"
        and other.attributes.get("groups", 1) > 1
    )
    return as_grouped(layer) if is_one else layer


def _by_channel(layer: Layer, tensor: Tensor, other: Layer) -> Layer:
    """A convolution of one channel per group is one by channel, where the other side says so: weights alone
    do not tell its groups.
    """
    shape = as_seen(layer, tensor)
    is_open = "groups" not in layer.attributes or shape[:2] == (1, 1)
    is_one = layer.op == "Conv" and other.op in BY_CHANNEL and is_open and shape[1:2] == (1,)
    return replace(layer, op="DepthwiseConv") if is_one else layer


def _names(rule: Rule, pair: tuple[str, ...]) -> bool:
    op, role, other_op, other_role = pair
    return (
        op in rule.source.op
        and role in rule.source.role
        and other_op in rule.target.op
        and other_role in rule.target.role
    )


def _as_vector(given: Tensor, wanted: Tensor, *, is_open: bool = False) -> Transform | None:
    """One number per channel stays that, whatever axes of length one stand around it; groups of channels
    stand one after the other.

    is_open: of layers of which nothing is known, where a kernel is only what the tensor is called.
    """
    if given.shape == wanted.shape and (len(given.shape) < 2 or given.role == "bias"):
        return "", {}
    long = [n for n in given.shape if n > 1]
    if given.size != wanted.size or [n for n in wanted.shape if n > 1] not in (
        long,
        [given.size] if given.role in GROUPED else long,
    ):
        return None
    is_told = len(set(long)) == len(long)  # lengths that differ tell the axes apart
    is_table = is_told and (is_open or "kernel" not in (given.role, wanted.role))
    return (
        vector_pattern(given.shape, wanted.shape)
        if len(long) < 2 or len(wanted.shape) == 1 or is_table
        else None
    )


def _forwards(
    rule: Rule, source: Layer, given: Tensor, wanted: Tensor, known: Mapping[str, int]
) -> Transform | None:
    labels = stored(source, given.role)
    if labels is None:
        return rule.joins(given.shape, wanted.shape, known)
    axes = seen(source, len(given.shape))
    found = (
        rule.joins(seen_shape(labels, axes, given.shape), wanted.shape, known)
        if labels and not rule.transform
        else None
    )
    return None if found is None else (from_stored(found[0], labels, axes), found[1])


def _backwards(rule: Rule, given: Tensor, wanted: Tensor, known: Mapping[str, int]) -> Transform | None:
    found = rule.joins(wanted.shape, given.shape, known)
    return None if found is None else (inverse(found[0]) if found[0] else "", found[1])


def sources_of(matches: Sequence[Match]) -> frozenset[str]:
    return frozenset(s for m in matches for s in m.sources)
