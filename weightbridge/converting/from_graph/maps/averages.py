"""Averages over windows that reach beyond the border: with zeros there, then by how many numbers count."""

from collections.abc import Sequence
from functools import reduce
from math import prod

import numpy as np

from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.maps.borders import Pairs, padded, slid
from weightbridge.converting.from_graph.maps.convolutions import windowed
from weightbridge.converting.from_graph.source.constants import written
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Array


def averaged(call: Call, value: Value, axes: Sequence[int], told: Pairs, pairs: Pairs) -> Value:
    """told: the border that the source states; pairs: the same, with what rounding up adds to the end."""
    size, strides = call.settings["pool_size"], call.settings["strides"]
    space, ones = value.layout.shape[1:-1], (1,) * len(size)
    shares = _shares(call, space, told, pairs)
    if any(any(pair) for pair in pairs):
        value = padded(call, value, axes, pairs, f"{call.name}_pad")
    config = {"pool_size": list(size), "strides": list(strides), "padding": "valid"}
    hint = call.name if shares is None else f"{call.name}_whole"
    layer = call.writer.layer(f"AveragePooling{len(size)}D", hint, config, value)
    lengths = slid(value.layout.shape[1:-1], "valid", size, strides, ones)
    pooled = windowed(value, axes, layer, 0, [None, *lengths, value.layout.shape[-1]])
    if shares is None:
        return pooled
    given = [pooled, written(shares.astype(np.float32))]
    return pooled.after(call.writer.operation("numpy.Multiply", call.name, {}, given))


def _shares(call: Call, space: Sequence[int | None], told: Pairs, pairs: Pairs) -> Array | None:
    """The size of a window over the numbers that count in it, for each; None where all count in all."""
    size, counts_border = call.settings["pool_size"], bool(call.settings.get("count_include_pad"))
    if counts_border and told == pairs:
        return None
    windows = zip(space, told, pairs, size, call.settings["strides"], strict=True)
    counts = [_counts(*window, counts_border=counts_border) for window in windows]
    grid = reduce(np.multiply.outer, counts)
    return np.asarray(prod(size) / grid)[None, ..., None]


def _counts(
    length: int | None,
    told: tuple[int, int],
    pair: tuple[int, int],
    size: int,
    stride: int,
    *,
    counts_border: bool,
) -> Array:
    """How many numbers of each window count along one axis."""
    if length is None:
        raise Unsupported("averages without its border along an axis whose length is not known")
    counting = np.zeros(pair[0] + length + pair[1])
    first, last = (0, pair[0] + length + told[1]) if counts_border else (pair[0], pair[0] + length)
    counting[first:last] = 1
    starts = range(0, len(counting) - size + 1, stride)
    return np.array([counting[start : start + size].sum() for start in starts])
