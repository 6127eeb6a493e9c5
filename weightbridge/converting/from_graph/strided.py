"""A view by strides (torch's as_strided): places in one row of all items, the same ones of each item."""

from typing import Any

import numpy as np

from weightbridge.converting.from_graph.arrange import arranged
from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.cutting import reshaped
from weightbridge.converting.from_graph.layout import Layout, plain, with_source
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported


def strided(call: Call) -> Value:
    """Where each place comes once and in order, the items are cut into other axes alone."""
    layout, size = call.first.layout, int(call.settings["item_size"])
    offsets = np.asarray(call.settings["offsets"])
    row = layout.source[0]
    if row[:1] != (layout.batch,) or layout.length(row[1:]) != size or offsets.max() >= size:
        raise Unsupported("picks places of a row that is not all items of the batch")
    items = call.first.seen(with_source(layout, [row[:1], row[1:]]))
    shape = offsets.shape[1:]
    if np.array_equal(offsets.ravel(), np.arange(size)):
        return items.seen(_cut(items.layout, shape))
    items = arranged(call.writer, items, tuple(items.layout.source), call.name)
    told: list[Any] = [items, offsets.ravel().tolist()]
    name = call.writer.operation("numpy.Take", call.name, {"axis": 1}, told)
    made = plain([None, offsets.size], range(2))
    return items.after(name).seen(_cut(made, shape))


def _cut(layout: Layout, shape: tuple[int, ...]) -> Layout:
    cut = reshaped(layout, [None, *shape])
    if cut is None:
        raise Unsupported(f"cuts its items into {shape}, which does not fit them")
    return cut
