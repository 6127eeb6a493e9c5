"""Sliding windows: kernel sizes and strides as tuples, padding as explicit pairs, sizes after them."""

import re
from collections.abc import Mapping
from typing import Any

from weightbridge.model.graph import Shape
from weightbridge.model.windows import same_pairs

DIMENSIONS = re.compile("[123](?=D)")
Padding = str | tuple[tuple[int, int], ...]


def rank_of(class_name: str) -> int:
    """The number of spatial axes that a class's name says (`Conv2D`: 2, `DepthwiseConv1D`: 1); 2 where it
    says none.
    """
    digits = DIMENSIONS.findall(class_name)
    return int(digits[-1]) if digits else 2


def per_axis(value: Any, rank: int) -> tuple[int, ...]:
    """A size per spatial axis."""
    if isinstance(value, list | tuple):
        return tuple(int(v) for v in value)
    return (int(value),) * rank


def pairs(value: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """The (before, after) of each axis, from Keras's three ways to write it: 1, (1, 2), ((1, 1), (0, 2)).

    One axis: (before, after).
    """
    if isinstance(value, int):
        return ((value, value),) * rank
    values = list(value)
    if rank == 1 and len(values) == 2 and all(isinstance(v, int) for v in values):
        return ((values[0], values[1]),)
    return tuple((int(v[0]), int(v[1])) if isinstance(v, list | tuple) else (int(v), int(v)) for v in values)


def spatial(shape: Shape | None, data_format: str) -> Shape | None:
    """The spatial sizes of a shape without batch."""
    if shape is None or not shape:
        return None
    return shape[1:] if data_format == "channels_first" else shape[:-1]


def with_channels(sizes: Shape, channels: int | None, data_format: str) -> Shape:
    return (channels, *sizes) if data_format == "channels_first" else (*sizes, channels)


def explicit(padding: str, window: Mapping[str, tuple[int, ...]], sizes: Shape | None) -> Padding:
    """`valid`, `same` or `causal` as (before, after) pairs where that is possible, else the text."""
    spans = [d * (k - 1) for k, d in zip(window["kernel"], window["dilation"], strict=True)]
    match padding:
        case "valid":
            return ((0, 0),) * len(spans)
        case "causal":
            return ((spans[0], 0),)
        case "same":
            return same_pairs(spans, window["strides"], sizes) or "same"
    return padding


def slide(sizes: Shape, padding: Padding, window: Mapping[str, tuple[int, ...]]) -> Shape:
    """The sizes after a convolution or a pooling."""
    found: list[int | None] = []
    for i, size in enumerate(sizes):
        span, stride = window["dilation"][i] * (window["kernel"][i] - 1) + 1, window["strides"][i]
        if size is None:
            found.append(None)
        elif isinstance(padding, str):
            found.append(-(-size // stride))
        else:
            found.append((size + sum(padding[i]) - span) // stride + 1)
    return tuple(found)


def spread(sizes: Shape, padding: Padding, window: Mapping[str, tuple[int, ...]]) -> Shape:
    """The sizes after a transposed convolution, whose padding is what is cut off."""
    found: list[int | None] = []
    for i, size in enumerate(sizes):
        span, stride = window["dilation"][i] * (window["kernel"][i] - 1) + 1, window["strides"][i]
        cut = 0 if isinstance(padding, str) else sum(padding[i])
        found.append(None if size is None else (size - 1) * stride + max(span, stride) - cut)
    return tuple(found)
