"""Convolutions and pools: a sum over the positions of the window."""

from collections.abc import Iterator, Sequence

import numpy as np

from weightbridge.errors import RunError
from weightbridge.formats.keras.evaluate.values import (
    Function,
    Given,
    as_given,
    channels_last,
    finished,
    numbers,
)
from weightbridge.model.tensors import Array

Sizes = tuple[int, ...]


def convolution(given: Given) -> Array:
    x, kernel = channels_last(given, given.x), given.weight("kernel")
    groups = int(given.config.get("groups", 1))
    parts = zip(np.split(x, groups, -1), np.split(kernel, groups, -1), strict=True)
    found = [_slid(given, one, k.shape[:-2], lambda w, o, k=k: w @ k[o]) for one, k in parts]
    return _finished(given, np.concatenate(found, -1))


def depthwise(given: Given) -> Array:
    kernel = given.weights.get("depthwise_kernel", given.weights.get("kernel"))
    if kernel is None:
        raise RunError(f"the {given.class_name} has no kernel")
    return _finished(given, _by_channel(given, channels_last(given, given.x), kernel))


def separable(given: Given) -> Array:
    deep = _by_channel(given, channels_last(given, given.x), given.weight("depthwise_kernel"))
    point = given.weight("pointwise_kernel")
    return _finished(given, deep @ point.reshape(point.shape[-2:]))


def transposed(given: Given) -> Array:
    """Every input pixel paints the kernel into the output."""
    if given.config.get("output_padding") is not None:
        raise RunError("output_padding is not known here")
    x, kernel = channels_last(given, given.x), given.weight("kernel")
    space = kernel.shape[:-2]
    strides = numbers(given.config.get("strides"), len(space))
    dilation = numbers(given.config.get("dilation_rate"), len(space))
    wide = tuple((k - 1) * d + 1 for k, d in zip(space, dilation, strict=True))
    lengths = tuple((n - 1) * s + max(w, s) for n, s, w in zip(x.shape[1:-1], strides, wide, strict=True))
    painted = np.zeros((x.shape[0], *lengths, kernel.shape[-2]), x.dtype)
    for offset in np.ndindex(*space):
        where = _run(offset, dilation, strides, x.shape[1:-1])
        painted[(slice(None), *where)] += x @ kernel[offset].T
    return _finished(given, _cropped(given, painted, x.shape[1:-1], strides, wide))


def pool(given: Given) -> Array:
    """Padding is no part of a maximum, nor of an average."""
    x = channels_last(given, given.x)
    size = numbers(given.config["pool_size"], x.ndim - 2)
    strides = given.config.get("strides")
    window = numbers(size if strides is None else strides, len(size))
    is_max = given.class_name.startswith("Max")
    padded, lengths = _padded(given, x, size, window, (1,) * len(size), -np.inf if is_max else 0.0)
    runs = [(slice(None), *_run(o, (1,) * len(size), window, lengths)) for o in np.ndindex(*size)]
    if is_max:
        return as_given(given, np.max(np.stack([padded[run] for run in runs]), axis=0))
    ones, _ = _padded(given, np.ones_like(x), size, window, (1,) * len(size), 0.0)
    total = np.sum(np.stack([padded[run] for run in runs]), axis=0)
    return as_given(given, total / np.sum(np.stack([ones[run] for run in runs]), axis=0))


def global_pool(given: Given) -> Array:
    x = channels_last(given, given.x)
    axes, keep = tuple(range(1, x.ndim - 1)), bool(given.config.get("keepdims"))
    if "Max" in given.class_name:
        found = x.max(axis=axes, keepdims=keep)
    elif given.mask is not None:
        weights = given.mask.astype(x.dtype)[..., np.newaxis]
        found = (x * weights).sum(axis=1, keepdims=keep) / weights.sum(axis=1, keepdims=keep)
    else:
        found = x.mean(axis=axes, keepdims=keep)
    return as_given(given, found) if keep else np.asarray(found)


def _by_channel(given: Given, x: Array, kernel: Array) -> Array:
    def product(window: Array, offset: Sizes) -> Array:
        deep = window[..., np.newaxis] * kernel[offset]
        return np.asarray(deep.reshape(*deep.shape[:-2], -1))

    return _slid(given, x, kernel.shape[:-2], product)


def _slid(given: Given, x: Array, space: Sizes, product: object) -> Array:
    assert callable(product)
    strides = numbers(given.config.get("strides"), len(space))
    dilation = numbers(given.config.get("dilation_rate"), len(space))
    padded, lengths = _padded(given, x, space, strides, dilation, 0.0)
    total = 0.0
    for offset in np.ndindex(*space):
        where = (slice(None), *_run(offset, dilation, strides, lengths))
        total = total + product(padded[where], offset)
    return np.asarray(total)


def _padded(
    given: Given, x: Array, space: Sizes, strides: Sizes, dilation: Sizes, fill: float
) -> tuple[Array, Sizes]:
    """The input with its border, and the lengths of the output."""
    mode = str(given.config.get("padding", "valid")).lower()
    borders, lengths = [], []
    for n, k, s, d in zip(x.shape[1:-1], space, strides, dilation, strict=True):
        wide = (k - 1) * d + 1
        total = {"same": max((-(-n // s) - 1) * s + wide - n, 0), "causal": wide - 1}.get(mode, 0)
        before = total if mode == "causal" else total // 2
        borders.append((before, total - before))
        lengths.append((n + total - wide) // s + 1)
    padded = np.pad(x, [(0, 0), *borders, (0, 0)], constant_values=fill)
    return padded, tuple(lengths)


def _run(offset: Sizes, dilation: Sizes, strides: Sizes, lengths: Sequence[int]) -> Iterator[slice]:
    for o, d, s, n in zip(offset, dilation, strides, lengths, strict=True):
        yield slice(o * d, o * d + (n - 1) * s + 1, s)


def _cropped(given: Given, painted: Array, lengths: Sizes, strides: Sizes, wide: Sizes) -> Array:
    if str(given.config.get("padding", "valid")).lower() != "same":
        return painted
    runs = []
    for n, s, w in zip(lengths, strides, wide, strict=True):
        before = max(w - s, 0) // 2
        runs.append(slice(before, before + n * s))
    return painted[(slice(None), *runs)]


def _finished(given: Given, x: Array) -> Array:
    return as_given(given, finished(given, x))


FUNCTIONS: dict[str, Function] = {
    **{f"Conv{n}D": convolution for n in "123"},
    **{f"Conv{n}DTranspose": transposed for n in "123"},
    **{f"DepthwiseConv{n}D": depthwise for n in "12"},
    **{f"SeparableConv{n}D": separable for n in "12"},
    **{f"{kind}Pooling{n}D": pool for kind in ("Max", "Average") for n in "123"},
    **{f"Global{kind}Pooling{n}D": global_pool for kind in ("Max", "Average") for n in "123"},
}
