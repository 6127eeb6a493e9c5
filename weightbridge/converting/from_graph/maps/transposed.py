"""Transposed convolutions: Keras takes the border off by `same`, or by a cropping behind `valid`."""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layers.activations import fused_name
from weightbridge.converting.from_graph.maps.borders import Pairs, amounts
from weightbridge.converting.from_graph.maps.convolutions import (
    SPACE,
    channels_last,
    channels_of,
    put_bias,
    space_of,
    windowed,
)
from weightbridge.converting.from_graph.parts.indexing import cut_out
from weightbridge.converting.from_graph.source.kernels import put
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.values import Weight
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Tensor

MOST_GROUPS = 64
SAID = "a transposed convolution in groups is one for each group, as Keras has none in groups"


def _transposed(call: Call) -> Value:
    """What Keras cuts off is told by `valid`, `same`, or a cropping behind `valid`."""
    settings = call.settings
    rank, filters, groups = len(settings["kernel_size"]), int(settings["filters"]), int(settings["groups"])
    value, axes = channels_last(call, call.first, rank)
    cut = settings["padding"]
    if isinstance(cut, str):
        raise Unsupported(f"has the padding {cut}, which does not follow from the file")
    extra = tuple(settings.get("output_padding") or (0,) * rank)
    config, crop = _as_valid(settings, cut, extra)
    is_cropped = any(any(pair) for pair in crop)
    config = {"use_bias": call.tensor("bias") is not None, **config, **fused_name(call)}
    name, number = _one(call, value, config) if groups == 1 else _in_groups(call, value, config, groups)
    lengths = [_grown(n, p, c) for n, p, c in zip(space_of(value), _sizes(settings, extra), cut, strict=True)]
    made = windowed(value, axes, name, number, [None, *lengths, filters])
    return _cropped(call, made, crop) if is_cropped else made


def _one(call: Call, value: Value, config: Mapping[str, Any]) -> tuple[str, int]:
    settings = call.settings
    rank, filters = len(settings["kernel_size"]), int(settings["filters"])
    name, number = call.keras(f"Conv{rank}DTranspose", {"filters": filters, **config}, value)
    shape = (*settings["kernel_size"], filters, channels_of(value))
    put(call, name, call.needed("kernel"), (f"{SPACE[rank]} o i", shape))
    put_bias(call, name, filters)
    return name, number


def _in_groups(call: Call, value: Value, config: Mapping[str, Any], groups: int) -> tuple[str, int]:
    """Each group of channels by a layer of its own, side by side."""
    settings, channels = call.settings, channels_of(value)
    filters = int(settings["filters"])
    if groups > MOST_GROUPS or channels % groups or filters % groups:
        raise Unsupported(f"is a transposed convolution in {groups} groups, which Keras has no layer for")
    call.writer.rewrote(SAID, call.name)
    width, last, parts = channels // groups, len(value.layout.keras) - 1, []
    for n in range(groups):
        cut = cut_out(call.writer, value, {last: (n * width, (n + 1) * width, 1)}, f"{call.name}_{n}_part")
        parts.append(_group(call, value.after(cut), config, (n, width, filters // groups)))
    return call.writer.layer("Concatenate", call.name, {"axis": -1}, parts), 0


def _group(call: Call, value: Value, config: Mapping[str, Any], which: tuple[int, int, int]) -> Value:
    """which: the number of the group, its channels and its filters."""
    number, width, filters = which
    size = tuple(call.settings["kernel_size"])
    told = {"filters": filters, **config}
    name = call.writer.layer(f"Conv{len(size)}DTranspose", f"{call.name}_{number}", told, value)
    kernel, bias = call.needed("kernel"), call.tensor("bias")
    space = SPACE[len(size)]
    rows = _rows(kernel, number * width, width, f"i o {space} -> {space} o i")
    call.give(Weight(name, "kernel", (kernel.name,), (*size, filters, width), "rows", rows))
    if bias is not None:
        rows = _rows(bias, number * filters, filters, "")
        call.give(Weight(name, "bias", (bias.name,), (filters,), "rows", rows))
    return value.after(name)


def _rows(tensor: Tensor, first: int, count: int, pattern: str) -> dict[str, Any]:
    if tensor.shape[0] < first + count:
        raise Unsupported(f"has a tensor {tensor.name} of shape {tensor.shape}, which its groups do not fit")
    return {"axis": 0, "rows": list(range(first, first + count)), "pattern": pattern}


def _sizes(settings: Mapping[str, Any], extra: Sequence[int]) -> list[tuple[int, int, int]]:
    spans = [d * (k - 1) + 1 for k, d in zip(settings["kernel_size"], settings["dilation"], strict=True)]
    return list(zip(settings["strides"], spans, extra, strict=True))


def _grown(length: int | None, window: tuple[int, int, int], cut: tuple[int, int]) -> int | None:
    stride, span, extra = window
    return None if length is None else (length - 1) * stride + span + extra - sum(cut)


def _as_valid(settings: Mapping[str, Any], cut: Pairs, extra: Sequence[int]) -> tuple[dict[str, Any], Pairs]:
    """Keras's `same` cuts a kernel's surplus over the stride; else `valid`, and a Cropping behind it."""
    sizes = _sizes(settings, extra)
    config = {
        "kernel_size": list(settings["kernel_size"]),
        "strides": list(settings["strides"]),
        "dilation_rate": list(settings["dilation"]),
    }
    net = tuple((before, after - more) for (before, after), (_, _, more) in zip(cut, sizes, strict=True))
    if net == tuple(_surplus(stride, span) for stride, span, _ in sizes):
        return {**config, "padding": "same"}, tuple((0, 0) for _ in cut)
    longer = [max(stride - span, 0) for stride, span, _ in sizes]  # Keras's `valid` gives whole strides
    crop = tuple((b, a + more) for (b, a), more in zip(net, longer, strict=True))
    if min(after for _, after in crop) < 0:
        raise Unsupported("adds more to the end of its output than Keras does")
    return {**config, "padding": "valid"}, crop


def _surplus(stride: int, span: int) -> tuple[int, int] | None:
    """What `same` cuts off before and after; None of a kernel that is smaller than its stride."""
    surplus = span - stride
    return None if surplus < 0 else (surplus // 2, surplus - surplus // 2)


def _cropped(call: Call, value: Value, crop: Pairs) -> Value:
    config = {"cropping": amounts(crop)}
    name = call.writer.layer(f"Cropping{len(crop)}D", f"{call.name}_crop", config, value)
    return value.after(name)


BUILDERS: Mapping[str, Builder] = {"ConvTranspose": _transposed}
