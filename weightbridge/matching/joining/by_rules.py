"""The transform that a layout rule gives for a pair of tensors, forwards or backwards."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from weightbridge.matching.joining.sides import Side, Transform
from weightbridge.matching.joining.stored_axes import from_stored, seen_axes, seen_shape, stored, to_stored
from weightbridge.matching.units.flattening import reads_channels_first
from weightbridge.model.axes import inverse
from weightbridge.model.layouts import AxisNames
from weightbridge.rules.layouts import Rule, Shape

Lengths = Mapping[str, int]


def names_pair(rule: Rule, source: tuple[str, str], target: tuple[str, str]) -> bool:
    """Whether a rule names these two ops and roles, in either direction."""
    return _names(rule, source, target) or _names(rule, target, source)


def _names(rule: Rule, source: tuple[str, str], target: tuple[str, str]) -> bool:
    is_source = source[0] in rule.source.op and source[1] in rule.source.role
    return is_source and target[0] in rule.target.op and target[1] in rule.target.role


def by_rules(rules: Sequence[Rule], source: Side, target: Side, known: Lengths) -> Transform | None:
    """What the first rule that fits says.

    known: the lengths of a map that is flattened, where the two sides read it out in another order.
    """
    is_backwards = bool(known) and not reads_channels_first(source.place, target.place)
    for rule in rules:
        if bool(rule.lengths) != bool(known):
            continue
        transform = _by_rule(rule, source, target, known, is_backwards)
        if transform is not None:
            return transform
    return None


def _by_rule(rule: Rule, source: Side, target: Side, known: Lengths, is_backwards: bool) -> Transform | None:
    if not is_backwards and rule.source.admits(*source.said) and rule.target.admits(*target.said):
        return (
            None if stored(source) == () else _joined(rule, source, target, partial(_forwards, rule, known))
        )
    has_inverse = bool(rule.axes) and not rule.transform
    may_turn = has_inverse and (is_backwards or not known)
    if may_turn and rule.target.admits(*source.said) and rule.source.admits(*target.said):
        return _joined(rule, source, target, partial(_backwards, rule, known))
    return None


def _joined(
    rule: Rule, source: Side, target: Side, joins: Callable[[Shape, Shape], Transform | None]
) -> Transform | None:
    """What joins the two as their operations read them, from and to the order in which they are stored."""
    names, wanted_names = stored(source) or None, stored(target) or None
    if rule.transform and (names or wanted_names):
        return None
    transform = joins(_shape_read(source, names), _shape_read(target, wanted_names))
    if transform is None:
        return None
    pattern, lengths = transform
    if names:
        pattern = from_stored(pattern, names, seen_axes(source))
    if wanted_names:
        pattern = to_stored(pattern, wanted_names, seen_axes(target))
    return pattern, lengths


def _shape_read(side: Side, names: AxisNames | None) -> Shape:
    """The shape as the operation reads it. names: the stored axes where they are others."""
    shape = side.tensor.shape
    return shape if names is None else seen_shape(names, seen_axes(side), shape)


def _forwards(rule: Rule, known: Lengths, given: Shape, wanted: Shape) -> Transform | None:
    return rule.joins(given, wanted, known)


def _backwards(rule: Rule, known: Lengths, given: Shape, wanted: Shape) -> Transform | None:
    transform = rule.joins(wanted, given, known)
    if transform is None:
        return None
    pattern, lengths = transform
    return (inverse(pattern) if pattern else ""), lengths
