"""Layers that join values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from weightbridge.converting.from_graph.arrange import arranged, in_order, one_by_one
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layout import Layout, Length, axis_of, plain
from weightbridge.converting.from_graph.parts.tokens import beside
from weightbridge.converting.from_graph.source.constants import is_input
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.from_graph.writer import Writer
from weightbridge.errors import Unsupported

CLASSES = {name: name for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")}


def aligned(writer: Writer, values: Sequence[Value], hint: str) -> list[Value]:
    """The values with the same axes in Keras, in the order that the one with most of them has."""
    rank = max(value.layout.rank for value in values)
    values = [value.seen(_padded(value.layout, rank)) for value in values]
    layouts = [value.layout for value in values]
    if all(one == layouts[0] for one in layouts):
        return list(values)
    main = _longest(layouts)
    if all(_is_turned(one, main) for one in layouts):
        return [arranged(writer, value, main.keras, hint) for value in values]
    order = one_by_one(main)
    return [in_order(writer, value, order, hint) for value in values]


def _longest(layouts: Sequence[Layout]) -> Layout:
    """The one with most axes, of several one that has them apart."""
    return max(layouts, key=lambda one: (len(one.lengths), _is_apart(one)))


def _is_turned(layout: Layout, main: Layout) -> bool:
    """Whether Keras alone holds it in another order."""
    return (layout.lengths, layout.source) == (main.lengths, main.source)


def _is_apart(layout: Layout) -> bool:
    return layout.order is not None


def _padded(layout: Layout, rank: int) -> Layout:
    """As numpy sees it: axes of length one in front, behind the batch where that is the first one."""
    missing = rank - layout.rank
    if not missing:
        return layout
    if layout.source and layout.source[0] == (layout.batch,):
        raise Unsupported("joins values whose numbers of axes differ, the batch among them")
    return replace(layout, source=(*(() for _ in range(missing)), *layout.source))


def broadcast(values: Sequence[Value]) -> Layout:
    """The layout of what an elementwise operation gives."""
    layouts = [value.layout for value in values]
    if all(one.keras == layouts[0].keras and _is_turned(one, layouts[0]) for one in layouts):
        return layouts[0]
    shapes = [one.source_shape for one in layouts]
    shape = [next((n for n in sizes if n != 1), 1) for sizes in zip(*shapes, strict=True)]
    main = _longest(layouts)
    return plain(shape, one_by_one(main))


def _merge(call: Call) -> Value:
    if len(call.inputs) < 2:
        raise Unsupported("joins a value with a constant of several axes")
    values = aligned(call.writer, call.inputs, call.name)
    name = call.writer.layer(CLASSES[call.layer.op], call.name, {}, values)
    return Value(name, 0, 0, broadcast(values), call.first.dtype)


def _concat(call: Call) -> Value:
    rank = call.first.layout.rank
    axis = axis_of(call.settings["axis"], rank)
    main = _main([value.layout for value in call.inputs])
    order = one_by_one(main)
    turned = [in_order(call.writer, value, order, call.name) for value in call.inputs]
    values = [in_order(call.writer, one, order, call.name) for one in _with_constants(call, turned, axis)]
    if len(values) < 2:
        return call.first
    place = order.index(axis)
    config = {"axis": -1 if place == rank - 1 else place}
    name = call.writer.layer("Concatenate", call.name, config, values)
    shape = _joined([value.layout.source_shape for value in values], axis)
    return Value(name, 0, 0, plain(shape, order), call.first.dtype)


def _with_constants(call: Call, values: Sequence[Value], axis: int) -> Sequence[Value]:
    """The values in order, with weights and constants among them."""
    told = call.settings.get("arguments")
    if not isinstance(told, tuple) or len(told) == len(values):
        return values
    return [
        values[int(one["input"])] if is_input(one) else beside(call, one, values[0], axis) for one in told
    ]


def _main(layouts: Sequence[Layout]) -> Layout:
    """The layout that the others follow: one that has all axes apart."""
    return max(layouts, key=lambda one: (_is_apart(one), len(one.lengths)))


def _joined(shapes: Sequence[Sequence[Length]], axis: int) -> list[Length]:
    shape = [_known(sizes) for sizes in zip(*shapes, strict=True)]
    lengths = [one[axis] for one in shapes]
    shape[axis] = None if None in lengths else sum(n for n in lengths if n is not None)
    return shape


def _known(sizes: Sequence[Length]) -> Length:
    return next((n for n in sizes if n is not None), None)


BUILDERS: Mapping[str, Builder] = {**dict.fromkeys(CLASSES, _merge), "Concat": _concat}
