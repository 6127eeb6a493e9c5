"""A value brought into the order and the axes that a layer needs, by Permute, Reshape and Flatten."""

from collections.abc import Sequence
from dataclasses import replace

from weightbridge.converting.from_graph.layout import Group, Groups, Layout
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.from_graph.writer import Writer
from weightbridge.errors import Unsupported


def arranged(writer: Writer, value: Value, wanted: Groups, hint: str) -> Value:
    """The value with these axes in Keras. hint: after what a layer is named that this takes.

    Raises Unsupported where an axis would have to change places with the batch.
    """
    layout = value.layout
    if layout.keras == wanted:
        return value
    batch = (layout.batch,)
    if not wanted or wanted[0] != batch:
        raise Unsupported("joins the batch with another axis, or moves it from the first place")
    made = writer.arranged.get((value, wanted))
    if made is None:
        made = writer.arranged[value, wanted] = _arranged(writer, value, wanted, hint)
    return made


def _arranged(writer: Writer, value: Value, wanted: Groups, hint: str) -> Value:
    if _flat(value.layout.keras) != _flat(wanted):
        value = _turned(writer, value, wanted, hint)
    return value if value.layout.keras == wanted else _reshaped(writer, value, wanted, hint)


def in_order(writer: Writer, value: Value, order: Sequence[int], hint: str) -> Value:
    """The value with the source's axes, one by one, in this order."""
    return arranged(writer, value, tuple(value.layout.source[axis] for axis in order), hint)


def apart(writer: Writer, value: Value, hint: str) -> Value:
    """The value with each of the source's axes by itself, in the order in which Keras has them."""
    return in_order(writer, value, one_by_one(value.layout), hint)


def as_source(writer: Writer, value: Value, hint: str) -> Value:
    return in_order(writer, value, range(value.layout.rank), hint)


def last_axis(writer: Writer, value: Value, axis: int, hint: str) -> Value:
    """The value with one of the source's axes as Keras's last, its atoms in whatever order Keras has them."""
    layout = value.layout
    wanted = frozenset(layout.source[layout.axis(axis)])
    if any(wanted & set(group) and not wanted >= set(group) for group in layout.keras):
        return in_order(writer, value, [*_without(layout, axis), layout.axis(axis)], hint)
    held = tuple(atom for atom in _flat(layout.keras) if atom in wanted)
    if held and layout.keras[-1] != held and layout.order is not None:
        return as_source_but(writer, value, axis, hint)
    others = tuple(group for group in layout.keras if group and not wanted & set(group))
    return arranged(writer, value, (*others, held), hint)


def as_source_but(writer: Writer, value: Value, axis: int, hint: str) -> Value:
    """The source's axes in its own order, but one of them last: a Permute is needed anyway."""
    last = value.layout.axis(axis)
    order = [one for one in range(value.layout.rank) if one != last]
    return in_order(writer, value, [*order, last], hint)


def one_by_one(layout: Layout) -> tuple[int, ...]:
    """The source's axes in the order in which Keras has them, as far as it has them apart."""
    first = {atom: place for place, atom in enumerate(_flat(layout.keras))}
    order = layout.order
    if order is not None:
        return order
    ranked = [min((first[a] for a in group), default=-1) for group in layout.source]
    axes = [axis for axis, rank in enumerate(ranked) if rank >= 0]
    found = sorted(axes, key=lambda axis: ranked[axis])
    for axis, rank in enumerate(ranked):
        if rank < 0:
            found.insert(_place_of_one(found, axis), axis)
    return tuple(found)


def _place_of_one(found: Sequence[int], axis: int) -> int:
    """An axis of length one stands behind the one before it in the source, never first."""
    before = [place for place, other in enumerate(found) if other == axis - 1]
    return before[0] + 1 if before else min(1, len(found))


def _without(layout: Layout, axis: int) -> list[int]:
    return [one for one in one_by_one(layout) if one != layout.axis(axis)]


def _flat(groups: Groups) -> Group:
    return tuple(atom for group in groups for atom in group)


def _turned(writer: Writer, value: Value, wanted: Groups, hint: str) -> Value:
    """The atoms in the order that is wanted: by a Permute, where needed of axes cut before it."""
    pieces = _pieces(value.layout.keras, _flat(wanted))
    held = value.layout.keras
    if sorted(held) == sorted(wanted):
        pieces = held
    elif pieces != held:
        value = _reshaped(writer, value, pieces, hint)
    target = wanted if sorted(held) == sorted(wanted) else _in_order(pieces, _flat(wanted))
    dims = _places(pieces, target)
    name = writer.layer("Permute", f"{hint}_permute", {"dims": dims[1:]}, value)
    return _given(value, name, target)


def _pieces(held: Groups, wanted: Group) -> Groups:
    """Keras's axes, cut where two atoms that stand side by side in one are apart in what is wanted."""
    place = {atom: n for n, atom in enumerate(wanted)}
    pieces: list[Group] = []
    for group in held:
        run: list[int] = []
        for atom in group:
            if run and place[atom] != place[run[-1]] + 1:
                pieces.append(tuple(run))
                run = []
            run.append(atom)
        pieces += [tuple(run)] if run else []
    return tuple(pieces)


def _in_order(pieces: Groups, wanted: Group) -> Groups:
    return tuple(sorted(pieces, key=lambda piece: wanted.index(piece[0])))


def _places(held: Groups, target: Groups) -> list[int]:
    left = list(held)
    places = []
    for group in target:
        place = left.index(group)
        left[place] = (-1,)
        places.append(place)
    return places


def _reshaped(writer: Writer, value: Value, groups: Groups, hint: str) -> Value:
    layout = replace(value.layout, keras=groups)
    target = [*layout.shape[1:]]
    if len(groups) == 2 and len(value.layout.keras) > 2:
        return _given(value, writer.layer("Flatten", f"{hint}_flatten", {}, value), groups)
    if target.count(None) > 1:
        raise Unsupported("has two axes of unknown length where Keras cuts axes anew")
    shape = [-1 if n is None else n for n in target]
    return _given(value, writer.layer("Reshape", f"{hint}_reshape", {"target_shape": shape}, value), groups)


def _given(value: Value, layer: str, groups: Groups) -> Value:
    return value.after(layer).seen(replace(value.layout, keras=groups))
