"""The weights of MultiHeadAttention, cut out of the projections that the source has."""

from collections.abc import Mapping
from dataclasses import replace
from math import isclose
from typing import Any

import numpy as np

from weightbridge.converting.from_graph.attention.heads import Heads
from weightbridge.converting.from_graph.attention.trace import NO_ATTENTION
from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.values import Weight
from weightbridge.errors import Unsupported
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor

SCALED = "queries are scaled by another number than Keras's one by the root of key_dim: it is in the kernel"
EXACT = 1e-6
Weights = Mapping[str, tuple[Weight, Weight]]


def projection(call: Call, layer: Layer, heads: Heads) -> tuple[Weight, Weight]:
    """The kernel and the bias of a projection before the products, of a layer that has no name yet."""
    tensors = call.sharing.tensors[layer.name]
    kernel, bias = tensors["kernel"], tensors.get("bias")
    sizes = {"h": heads.count, "d": heads.size}
    if kernel.axes == "i o0 o1":
        return _by_heads(kernel, heads), _bias(bias, heads, layer, (heads.count, heads.size))
    if kernel.axes not in ("i o", "o i"):
        raise Unsupported(NO_ATTENTION)
    source = kernel.axes.replace("o", "(h d)")
    shape = (kernel.size // int(layer.attributes["units"]), heads.count, heads.size)
    transform, parameters = _cut(heads, kernel.axes.split().index("o"), f"{source} -> i h d", layer)
    found = Weight("", "kernel", (kernel.name,), shape, transform, {**parameters, **sizes})
    return found, _bias(bias, heads, layer, shape[1:])


def _by_heads(kernel: Tensor, heads: Heads) -> Weight:
    """A kernel that is stored as Keras has it."""
    is_whole = np.array_equal(heads.channels.reshape(-1), np.arange(kernel.size // kernel.shape[0]))
    if not is_whole or kernel.shape[1:] != heads.channels.shape:
        raise Unsupported(NO_ATTENTION)
    return Weight("", "kernel", (kernel.name,), kernel.shape)


def _bias(bias: Tensor | None, heads: Heads, layer: Layer, shape: tuple[int, ...]) -> Weight:
    is_whole = heads.channels.size == int(layer.attributes["units"])
    if bias is None or (bias.shape == shape and is_whole):
        return _or_zeros(bias, shape)
    if len(bias.shape) != 1:
        raise Unsupported(NO_ATTENTION)
    transform, parameters = _cut(heads, 0, "(h d) -> h d", layer)
    lengths = {"h": shape[0], "d": shape[1]}
    return Weight("", "bias", (bias.name,), shape, transform, {**parameters, **lengths})


def _cut(heads: Heads, axis: int, pattern: str, layer: Layer) -> tuple[str, dict[str, Any]]:
    """A pattern, or a run of rows that becomes it. Raises Unsupported for channels that are no runs."""
    channels, units = heads.channels, int(layer.attributes["units"])
    first, count = int(channels[0, 0]), channels.size
    if np.array_equal(channels.reshape(-1), np.arange(first, first + count)):
        if count == units:
            return pattern, {}
        return "slice", {"axis": axis, "start": first, "stop": first + count, "pattern": pattern}
    step = units // heads.count
    rows = first + step * np.arange(heads.count)[:, None] + np.arange(heads.size)
    if first + heads.size > step or not np.array_equal(channels, rows):
        raise Unsupported(NO_ATTENTION)
    run = {"start": first, "stop": first + heads.size, "groups": heads.count}
    return "slice", {"axis": axis, **run, "pattern": pattern}


def last_projection(call: Call, value: Heads, order: str) -> tuple[Weight, Weight]:
    """The kernel and the bias of the last projection."""
    kernel, bias, units = call.needed("kernel"), call.tensor("bias"), int(call.settings["units"])
    shape = (value.count, value.size, units)
    if kernel.axes == "i0 i1 o" and kernel.shape == shape and order == "h d":
        return Weight("", "kernel", (kernel.name,), shape), _or_zeros(bias, (units,))
    is_fit = kernel.axes in ("i o", "o i") and kernel.size == value.channels.size * units
    if not is_fit or (bias is not None and bias.shape != (units,)):
        raise Unsupported(NO_ATTENTION)
    pattern = f"{kernel.axes.replace('i', f'({order})')} -> h d o"
    lengths = {"h": value.count, "d": value.size}
    found = Weight("", "kernel", (kernel.name,), (value.count, value.size, units), pattern, lengths)
    return found, _or_zeros(bias, (units,))


def _or_zeros(bias: Tensor | None, shape: tuple[int, ...]) -> Weight:
    if bias is not None:
        return Weight("", "bias", (bias.name,), shape)
    return Weight("", "bias", (), shape, "constant", {"shape": list(shape), "value": 0.0})


def put(call: Call, layer: str, weight: Weight, factor: float) -> None:
    weight = replace(weight, layer=layer)
    if not isclose(factor, 1.0, rel_tol=EXACT) and weight.sources:
        inner = {"inner": weight.transform, "parameters": weight.parameters}
        scaled = {"factor": factor, "parts": 1, "blocks": [0], **inner}
        weight = replace(weight, transform="scaled", parameters=scaled)
        call.writer.rewrote(SCALED, layer)
    call.writer.weight(weight)
