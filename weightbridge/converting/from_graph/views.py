"""What changes axes and no values: the source's view of a value changes, and no layer is written.

The layers that need other axes of Keras's bring them about.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weightbridge.converting.from_graph.arrange import as_source
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.computed_lengths import is_as_told, keeps_batch
from weightbridge.converting.from_graph.cutting import behind, guessed_batch
from weightbridge.converting.from_graph.layout import Layout, Length, axis_of, plain, transposed, with_source
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported


def _permute(call: Call) -> Value:
    order = turn_of(call.settings)
    if sorted(order) != list(range(call.first.layout.rank)):
        raise Unsupported(f"turns {len(order)} axes, and is fed {call.first.layout.rank}")
    return call.first.seen(transposed(call.first.layout, order))


def turn_of(settings: Mapping[str, Any]) -> tuple[int, ...]:
    """Which of the source's axes each one is behind a Transpose, with the batch."""
    told = tuple(int(n) for n in settings["order"])
    return told if settings.get("moves_batch") else (0, *told)


def _reshape(call: Call) -> Value:
    """Squeeze, Unsqueeze and Reshape."""
    layout = call.first.layout
    axes = call.settings.get("axes")
    if call.layer.class_name == "Unsqueeze" and axes is not None:
        return call.first.seen(_with_ones(layout, _all(axes)))
    if call.layer.class_name == "Squeeze":
        return call.first.seen(_squeezed(layout, axes))
    if call.layer.class_name == "Flatten":
        return _flatten(call)
    for kept, target in _targets(call, layout):
        seen = behind(layout, kept, target, _batch(call, layout, target))
        if seen is not None and is_as_told(call, seen):
            return call.first.seen(seen)
    return _by_layer(call, _told_shape(call))


def _batch(call: Call, layout: Layout, target: Sequence[Length]) -> Length:
    """How long the batch is in a shape that stands in the file."""
    told = call.settings.get("target")
    if not isinstance(told, tuple) or None in told:
        return None
    return call.batch[0] if call.batch else guessed_batch(layout, target)


def _flatten(call: Call) -> Value:
    """A Reshape that gives a matrix says how."""
    if isinstance(call.settings.get("target"), tuple):
        return _reshape(call)
    layout = call.first.layout
    axis = int(call.settings.get("axis", 1))
    if not 0 <= axis <= layout.rank:
        raise Unsupported(f"flattens from axis {axis} on, and is fed {layout.rank} axes")
    first, rest = layout.source[:axis], layout.source[axis:]
    joined = [tuple(a for group in part for a in group) for part in (first, rest)]
    return call.first.seen(with_source(layout, joined))


def _all(axes: Any) -> list[int]:
    return [int(a) for a in axes] if isinstance(axes, tuple | list) else [int(axes)]


def _with_ones(layout: Layout, axes: Sequence[int]) -> Layout:
    rank = layout.rank + len(axes)
    places = {axis_of(axis, rank) for axis in axes}
    left = iter(layout.source)
    return with_source(layout, [() if n in places else next(left) for n in range(rank)])


def _squeezed(layout: Layout, axes: Any) -> Layout:
    every = [axis for axis, group in enumerate(layout.source) if not group]
    gone = set(every) if axes is None else {layout.axis(axis) for axis in _all(axes)}
    if not gone <= set(every):
        raise Unsupported("takes away an axis that is the batch, or whose length is not one")
    return with_source(layout, [group for n, group in enumerate(layout.source) if n not in gone])


def _targets(call: Call, layout: Layout) -> Iterator[tuple[int, list[Length]]]:
    """Readings of what it asks for: how many axes stay as they are, and the lengths of those behind them.

    A length that is computed from another shape most often is that of the axis in its place.
    """
    told = call.settings.get("target")
    if isinstance(told, tuple):
        zero = None if call.settings.get("allowzero") else 0
        kept = next((n for n, size in enumerate(told) if size not in (None, zero)), len(told))
        sizes = _sizes(told, layout, zero)
        if kept < layout.rank:
            yield kept, sizes[kept:]
        yield 0, sizes
    shape = call.settings.get("shape")
    if shape is not None:
        yield 1, [*shape]
        yield 0, [None, *shape]


def _sizes(told: Sequence[Length], layout: Layout, zero: int | None) -> list[Length]:
    """The lengths, None for -1 and for what is not known."""
    known = layout.source_shape
    sizes: list[Length] = []
    for n, size in enumerate(told):
        is_copied = zero is not None and size == zero and n < len(known)
        sizes.append(known[n] if is_copied else None if size == -1 else size)
    return sizes


def _told_shape(call: Call) -> list[Length]:
    """The whole shape, with None for one length that follows from the rest."""
    told = call.settings.get("target")
    if isinstance(told, tuple):
        return _sizes(told, call.first.layout, None if call.settings.get("allowzero") else 0)
    shape = call.settings.get("shape")
    if shape is None:
        raise Unsupported("asks for a shape that does not follow from the file")
    return [None, *shape]


def _by_layer(call: Call, target: Sequence[Length]) -> Value:
    """Axes that are cut across the old ones: Keras does it too."""
    value = as_source(call.writer, call.first, call.name)
    _refuse_cut_batch(call, value.layout)
    if target and target[0] is not None and call.batch and target[0] != call.batch[0]:
        raise Unsupported(f"says {target[0]} for its first axis, where the batch may be of any length")
    shape = [-1 if n is None else n for n in target[1:]]
    if shape.count(-1) > 1:
        raise Unsupported("asks for a shape with two lengths that do not follow from the file")
    name = call.writer.layer("Reshape", call.name, {"target_shape": shape}, value)
    known = [None if n == -1 else n for n in shape]
    return Value(name, 0, 0, plain([None, *known]), value.dtype)


def _refuse_cut_batch(call: Call, layout: Layout) -> None:
    if layout.source[0] != (layout.batch,) or not keeps_batch(call):
        raise Unsupported("cuts the batch")


def _same(call: Call) -> Value:
    return call.first


def _dropout(call: Call) -> Value:
    rate = call.settings.get("rate")
    if not isinstance(rate, int | float) or not 0 < rate < 1:
        return call.first
    name = call.writer.layer("Dropout", call.name, {"rate": float(rate)}, call.first)
    return call.first.after(name)


BUILDERS: Mapping[str, Builder] = {
    "Permute": _permute,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Identity": _same,
    "Dropout": _dropout,
}
