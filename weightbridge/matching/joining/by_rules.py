"""The transform that a layout rule gives for a pair of tensors, forwards or backwards."""

from collections.abc import Mapping, Sequence

from weightbridge.matching.joining.sides import Side, Transform
from weightbridge.matching.joining.stored_axes import from_stored, seen_axes, seen_shape, stored
from weightbridge.matching.units.flattening import reads_channels_first
from weightbridge.model.axes import inverse
from weightbridge.rules.layouts import Rule

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
        return _forwards(rule, source, target.tensor.shape, known)
    has_inverse = bool(rule.axes) and not rule.transform
    may_turn = has_inverse and (is_backwards or not known)
    if may_turn and rule.target.admits(*source.said) and rule.source.admits(*target.said):
        return _backwards(rule, source.tensor.shape, target.tensor.shape, known)
    return None


def _forwards(rule: Rule, source: Side, wanted: tuple[int, ...], known: Lengths) -> Transform | None:
    names = stored(source)
    shape = source.tensor.shape
    if names is None:
        return rule.joins(shape, wanted, known)
    if not names or rule.transform:
        return None
    seen = seen_axes(source)
    transform = rule.joins(seen_shape(names, seen, shape), wanted, known)
    return None if transform is None else (from_stored(transform[0], names, seen), transform[1])


def _backwards(
    rule: Rule, given: tuple[int, ...], wanted: tuple[int, ...], known: Lengths
) -> Transform | None:
    transform = rule.joins(wanted, given, known)
    if transform is None:
        return None
    pattern, lengths = transform
    return (inverse(pattern) if pattern else ""), lengths
