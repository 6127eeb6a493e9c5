"""Masks as Keras's attention takes them: booleans by batch, heads, queries and keys."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any

import numpy as np

from weightbridge.converting.from_graph.arrange import arranged
from weightbridge.converting.from_graph.attention.masks import Allowed
from weightbridge.converting.from_graph.attention.trace import NO_ATTENTION
from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.layout import Group, Groups, Layout
from weightbridge.converting.from_graph.source.constants import written
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Array

Placed = tuple[Allowed, Layout]


def needs_scores(masks: Sequence[Placed], guard: Allowed | None, *, has_guard: bool, rate: float) -> bool:
    """Whether Keras must compute the weights of a row without keys, which are zeros then.

    guard: the mask that is told again behind the softmax, which Keras does where it computes them.
    In one operation, which it takes where there is no dropout, they are the mean of all values.
    Raises Unsupported where the source gives something else.
    """
    rows = {one.empty_row(is_alone=len(masks) == 1) for one, _ in masks if one.value is not None}
    if guard is not None or (has_guard and rows):
        rows = {"zeros"}
    if rows <= {"nothing", "zeros"}:
        return "zeros" in rows and not rate
    if rate or not rows <= {"nothing", "mean"}:
        raise Unsupported(NO_ATTENTION)
    return False


def refuse_others(again: Allowed | None, masks: Sequence[Placed]) -> None:
    """Raises Unsupported where what is left behind the softmax is less than what the masks allow."""
    if again is not None and not any(_is_within(one, again) for one, _ in masks):
        raise Unsupported(NO_ATTENTION)


def _is_within(mask: Allowed, other: Allowed) -> bool:
    if mask.numbers is None or other.numbers is None:
        return mask.value == other.value is not None and not mask.is_inverse
    try:
        return not bool((mask.numbers & ~other.numbers).any())
    except ValueError:  # shapes that do not fit
        return False


def masking(call: Call, masks: Sequence[Placed], *, is_left: bool, has_scores: bool) -> Mapping[str, Any]:
    """The arguments of Keras's layer. masks: each with the layout of the scores where it acts."""
    told: dict[str, Any] = {"return_attention_scores": True} if has_scores else {}
    constants = [_by_axes(one.numbers, layout, is_left) for one, layout in masks if one.numbers is not None]
    data = [_arranged(call, one, layout, is_left) for one, layout in masks if one.numbers is None]
    whole = np.logical_and.reduce(np.broadcast_arrays(*constants)) if constants else np.ones((1, 1, 1), bool)
    if not whole.any(-1).all():
        raise Unsupported(NO_ATTENTION)  # of a row without keys Keras makes something else
    is_causal = _is_causal(whole)
    if is_causal:
        told["use_causal_mask"] = True
    values = [*data, *([] if is_causal or whole.all() else [_written(whole)])]
    return {**told, "attention_mask": _both(call, values)} if values else told


def _written(mask: Array) -> dict[str, Any]:
    """(1, queries, keys), or with heads (1, heads, queries, keys)."""
    return written(mask if mask.shape[0] == 1 else mask[None])


def _is_causal(mask: Array) -> bool:
    heads, queries, keys = mask.shape
    return heads == 1 and queries == keys > 1 and bool((mask[0] == np.tri(queries, dtype=bool)).all())


def _both(call: Call, values: Sequence[Any]) -> Any:
    """Where all allow it."""
    first = values[0]
    for other in values[1:]:
        name = call.writer.operation("numpy.LogicalAnd", f"{call.name}_masks", {}, [first, other])
        first = Value(name, 0, 0, first.layout, "bool")
    return first


def _axes(layout: Layout, is_left: bool) -> tuple[Group, Group, Group, Group]:
    """The atoms of the scores' batch, heads, queries and keys."""
    batch, heads, left, right = layout.keras
    return (batch, heads, left, right) if is_left else (batch, heads, right, left)


def _by_axes(mask: Array, layout: Layout, is_left: bool) -> Array:
    """A constant as (heads, queries, keys)."""
    _, *groups = _axes(layout, is_left)
    told = mask.reshape((1,) * (layout.rank - mask.ndim) + mask.shape)
    has_axis = [bool(group) and group in layout.source for group in groups]
    order = [layout.source.index(group) for group in compress(groups, has_axis)]
    rest = [axis for axis in range(layout.rank) if axis not in order]
    if any(told.shape[axis] > 1 for axis in rest):
        raise Unsupported(NO_ATTENTION)
    whole = np.transpose(told, (*order, *rest)).reshape([told.shape[axis] for axis in order])
    whole = np.expand_dims(whole, [place for place, has in enumerate(has_axis) if not has])
    return np.broadcast_to(whole, (whole.shape[0], *(layout.length(group) or 1 for group in groups[1:])))


def _arranged(call: Call, mask: Allowed, layout: Layout, is_left: bool) -> Value:
    """A value as (batch, queries, keys), with the heads behind the batch where it tells them apart."""
    assert mask.value is not None
    value = mask.value
    groups = _placed(value.layout, layout)
    _, heads, queries, keys = (groups.get(group, ()) for group in _axes(layout, is_left))
    batch: Group = (value.layout.batch,)
    wanted: Groups = (batch, heads, queries, keys) if heads else (batch, queries, keys)
    return arranged(call.writer, _boolean(call, mask), wanted, f"{call.name}_mask")


def _placed(mask: Layout, scores: Layout) -> dict[Group, Group]:
    """Which of its own atoms a mask has on each of the scores' groups. Raises Unsupported."""
    rank = scores.rank - mask.rank
    if rank < 0:
        raise Unsupported(NO_ATTENTION)
    found: dict[Group, Group] = {}
    for own, theirs in zip(mask.source, scores.source[rank:], strict=True):
        if scores.batch in theirs:
            _split(found, own, theirs, mask.batch, scores.batch)
        elif own:
            _match(found, own, theirs, mask, scores)
    if (mask.batch,) not in found.values():
        raise Unsupported(NO_ATTENTION)
    return found


def _match(found: dict[Group, Group], own: Group, theirs: Group, mask: Layout, scores: Layout) -> None:
    if mask.batch in own or mask.length(own) != scores.length(theirs):
        raise Unsupported(NO_ATTENTION)
    found[theirs] = own


def _split(found: dict[Group, Group], own: Group, theirs: Group, batch: int, scores: int) -> None:
    """The axis of the batch, with which the heads may be one."""
    rest = tuple(atom for atom in theirs if atom != scores)
    others = tuple(atom for atom in own if atom != batch)
    if bool(rest) != bool(others) and own:
        raise Unsupported(NO_ATTENTION)
    found[(scores,)] = (batch,) if own else ()
    if rest:
        found[rest] = others


def _boolean(call: Call, mask: Allowed) -> Value:
    """True where a query may see a key."""
    value = mask.value
    assert value is not None
    if value.dtype != "bool":
        name = call.writer.operation("core.Cast", f"{call.name}_mask", {"dtype": "bool"}, [value])
        value = replace(value.after(name), dtype="bool")
    if not mask.is_inverse:
        return value
    name = call.writer.operation("numpy.LogicalNot", f"{call.name}_mask", {}, [value])
    return value.after(name)
