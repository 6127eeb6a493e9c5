"""A view by strides (torch's as_strided): places in one row of all items, the same ones of each item."""

from typing import Any

import numpy as np

from weightbridge.converting.from_graph.arrange import in_order
from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.cutting import behind
from weightbridge.converting.from_graph.layout import Layout, plain, with_source
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported


def strided(call: Call) -> Value:
    """Where each place comes once and in order, the items are cut into other axes alone."""
    size, offsets = int(call.settings["item_size"]), np.asarray(call.settings["offsets"])
    items = of_items(call.first, size)
    if offsets.max() >= size:
        raise Unsupported("picks places of a row that is not all items of the batch")
    shape = offsets.shape[1:]
    if np.array_equal(offsets.ravel(), np.arange(size)):
        return items.seen(_cut(items.layout, shape))
    value = in_order(call.writer, items, range(items.layout.rank), call.name)
    told: list[Any] = [value, offsets.ravel().tolist()]
    name = call.writer.operation("numpy.Take", call.name, {"axis": 1}, told)
    made = plain([None, offsets.size, *value.layout.source_shape[2:]], range(value.layout.rank))
    return value.after(name).seen(_cut(made, shape))


def of_items(value: Value, size: int) -> Value:
    """A row of the places of all items, so many of each, as (batch, places); axes behind it stay."""
    layout = value.layout
    row = layout.source[0]
    if row[:1] != (layout.batch,) or layout.length(row[1:]) != size:
        raise Unsupported("picks places of a row that is not all items of the batch")
    return value.seen(with_source(layout, [row[:1], row[1:], *layout.source[1:]]))


def _cut(layout: Layout, shape: tuple[int, ...]) -> Layout:
    cut = behind(layout, 1, [*shape, *layout.source_shape[2:]], None)
    if cut is None:
        raise Unsupported(f"cuts its items into {shape}, which does not fit them")
    return cut
