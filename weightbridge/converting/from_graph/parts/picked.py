"""A place that each item of a batch picks for itself: the state behind its last word, its action's value."""

from collections.abc import Mapping
from math import prod

from weightbridge.converting.from_graph.arrange import apart, as_source, one_by_one
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.cutting import behind
from weightbridge.converting.from_graph.layout import Layout, plain, with_source
from weightbridge.converting.from_graph.maps.strided import of_items
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported


def _picked(call: Call) -> Value:
    """One place of the axis behind the batch for each place that is told, as Keras's take_along_axis."""
    value, places = call.inputs
    size = call.settings.get("item_size")
    value = value if size is None else of_items(value, int(size))
    places = places.seen(_without_column(places.layout)) if call.settings.get("is_column") else places
    if value.layout.rank < 2 or places.layout.source[0] != (places.layout.batch,):
        raise Unsupported("picks places by numbers that are not those of each item")
    value, places = apart(call.writer, value, call.name), as_source(call.writer, places, call.name)
    order = one_by_one(value.layout)
    if order[0] != 0:
        raise Unsupported("picks items of the batch")
    axis, lengths = order.index(1), places.layout.source_shape[1:]
    column = [1] * (value.layout.rank - 1)
    column[axis - 1] = -1 if lengths else 1
    told = call.writer.layer("Reshape", f"{call.name}_places", {"target_shape": column}, places)
    config = {"axis": axis}
    name = call.writer.operation("numpy.TakeAlongAxis", call.name, config, [value, places.after(told)])
    return Value(name, 0, 0, _cut(value.layout, order, lengths), value.dtype)


def _without_column(layout: Layout) -> Layout:
    """Without the last axis, along which there is one number for each place."""
    if layout.source[-1]:
        raise Unsupported("picks by several numbers for each place")
    return with_source(layout, layout.source[:-1])


def _cut(layout: Layout, order: tuple[int, ...], lengths: tuple[int | None, ...]) -> Layout:
    """The layout with the axes of the places behind the batch."""
    rest = layout.source_shape[2:]
    known = [length for length in lengths if length is not None]
    if len(known) < len(lengths) > 1:
        raise Unsupported("picks by places of several axes whose lengths are not known")
    made = plain([None, prod(known) if len(known) == len(lengths) else None, *rest], order)
    if not lengths:
        return with_source(made, (made.source[0], *made.source[2:]))
    cut = behind(made, 1, [*lengths, *rest], None) if len(lengths) > 1 else made
    if cut is None:
        raise Unsupported("picks by places of several axes before one whose length is not known")
    return cut


CLASSES: Mapping[str, Builder] = {"PickedByItem": _picked}
