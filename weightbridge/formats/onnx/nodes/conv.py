"""Convolutions, pooling and padding of ONNX as canonical layers."""

from collections.abc import Sequence
from typing import Any, TypeVar

from weightbridge.formats.onnx.drafts import SPACE, Builder, Draft, Site, Slot, decimal, draft
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.shapes.windows import pads_of, spatial
from weightbridge.formats.onnx.values.constants import Constant
from weightbridge.formats.onnx.values.views import axes_of
from weightbridge.model.windows import same_pairs

T = TypeVar("T")
Pairs = tuple[tuple[int, int], ...]
VIEWS_BEFORE = 4  # nodes that may stand between an Unsqueeze and its convolution
PASSING = frozenset({"Pad", "Cast", "Identity", "Relu"})
KERNEL, BIAS = 1, 2  # inputs


def convolution(site: Site, node: Node, index: int) -> Draft | None:
    """Conv; DepthwiseConv where every group has one input channel."""
    kernel = _kernel(site, node)
    if kernel is None:
        return None
    constant, shape = kernel
    groups, size = int(node.attributes.get("group", 1)), shape[2:]
    window = _sliding(site, node, size)
    if window is None:
        return None
    space = SPACE.get(len(size), "")
    if groups > 1 and shape[1] == 1 and shape[0] % groups == 0:
        found = window | {"groups": 1, "depth_multiplier": shape[0] // groups}
        return _with_weights(
            site, node, index, "DepthwiseConv", found, Slot("kernel", constant, f"(c m) 1 {space}")
        )
    found = window | {"groups": groups, "filters": shape[0]}
    return _with_weights(site, node, index, "Conv", found, Slot("kernel", constant, f"o i {space}"))


def transposed_convolution(site: Site, node: Node, index: int) -> Draft | None:
    kernel = _kernel(site, node)
    if kernel is None:
        return None
    constant, shape = kernel
    groups, size = int(node.attributes.get("group", 1)), shape[2:]
    window = _sliding(site, node, size)
    if window is None:
        return None
    found = window | {"groups": groups, "filters": shape[1] * groups} | _of_output(site, node, window)
    slot = Slot("kernel", constant, f"i o {SPACE.get(len(size), '')}")
    return _with_weights(site, node, index, "ConvTranspose", found, slot)


def _of_output(site: Site, node: Node, window: dict[str, Any]) -> dict[str, Any]:
    """What is added to a transposed convolution's output, and what `same` cuts off it."""
    rank = len(window["kernel_size"])
    extra = tuple(node.attributes.get("output_padding") or (0,) * rank)
    if len(extra) != rank:
        return {"padding": "unknown"}
    found = {"output_padding": extra} if any(extra) else {}
    if "output_shape" in node.attributes:
        return {**found, "padding": _cut_to_shape(site, node, window, extra)}
    if window["padding"] not in ("same", "same_lower"):
        return found
    sizes = zip(window["kernel_size"], window["dilation"], window["strides"], extra, strict=True)
    surplus = [d * (k - 1) + 1 - s + added for k, d, s, added in sizes]
    is_upper = window["padding"] == "same"
    halves = [(n // 2, n - n // 2) if is_upper else (n - n // 2, n // 2) for n in surplus]
    return {**found, "padding": tuple(halves)}


def _cut_to_shape(site: Site, node: Node, window: dict[str, Any], extra: tuple[int, ...]) -> Pairs | str:
    """What is cut off so that the output has the lengths that the node states."""
    asked, shape = tuple(node.attributes["output_shape"])[-len(extra) :], site.shapes.get(node.inputs[0])
    lengths = (shape or ())[-len(extra) :]
    if len(asked) != len(extra) or len(lengths) != len(extra) or None in lengths:
        return "unknown"
    sizes = zip(window["kernel_size"], window["dilation"], window["strides"], extra, strict=True)
    grown = [(d * (k - 1) + 1 + added, s) for k, d, s, added in sizes]
    whole = [(n - 1) * s + span for n, (span, s) in zip(lengths, grown, strict=True) if n is not None]
    surplus = [n - wanted for n, wanted in zip(whole, asked, strict=True)]
    if min(surplus) < 0:
        return "unknown"
    is_upper = node.attributes.get("auto_pad") == "SAME_UPPER"
    return tuple((n // 2, n - n // 2) if is_upper else (n - n // 2, n // 2) for n in surplus)


def _kernel(site: Site, node: Node) -> tuple[Constant, tuple[int, ...]] | None:
    """The kernel and its shape; None where it is no constant with spatial axes."""
    kernel = site.weight(node.inputs[KERNEL])
    if kernel is None or kernel.shape is None or len(kernel.shape) < 3:
        return None
    return kernel, kernel.shape


def pool(site: Site, node: Node, index: int) -> Draft | None:
    window = _sliding(site, node, tuple(node.attributes.get("kernel_shape", ())))
    if window is None:
        return None
    found = {
        "kind": "max" if node.op == "MaxPool" else "average",
        "rank": len(window["kernel_size"]),
        "pool_size": window["kernel_size"],
        **{key: window[key] for key in ("strides", "padding", "data_format")},
    }
    return draft(site, node, index, "Pool", found)


def global_pool(site: Site, node: Node, index: int) -> Draft | None:
    kind = "max" if node.op == "GlobalMaxPool" else "average"
    return draft(site, node, index, "GlobalPool", {"kind": kind, "data_format": node.data_format})


def pad(site: Site, node: Node, index: int) -> Draft | None:
    """Padding of spatial axes, as pairs; batch and channel axes are told apart by being zero."""
    numbers = pads_of(node, site.net)
    found: dict[str, Any] = {"mode": node.attributes.get("mode", "constant")}
    if found["mode"] == "constant":
        has_value = len(node.inputs) > 2 and node.inputs[2]
        value = site.net.scalar(node.inputs[2]) if has_value else node.attributes.get("value", 0.0)
        found["value"] = None if value is None else decimal(value)
    if numbers is not None:
        rank = len(numbers) // 2
        pairs = [(numbers[i], numbers[i + rank]) for i in range(1, rank)]
        found["padding"] = tuple(_without_channels(pairs))
    return draft(site, node, index, "Pad", found)


def _without_channels(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if len(pairs) < 2 or (any(pairs[0]) and any(pairs[-1])):
        return pairs
    return pairs[:-1] if any(pairs[0]) else pairs[1:]


def _with_weights(site: Site, node: Node, index: int, op: str, found: dict[str, Any], kernel: Slot) -> Draft:
    bias = site.weight(node.inputs[BIAS]) if len(node.inputs) > BIAS else None
    slots = (kernel, Slot("bias", bias, "o") if bias else None)
    return draft(site, node, index, op, {**found, "use_bias": bias is not None}, *slots)


def _sliding(site: Site, node: Node, size: tuple[int, ...]) -> dict[str, Any] | None:
    """The window's attributes; None where they contradict each other.

    A one-dimensional convolution that was written as a two-dimensional one is given as what it is.
    """
    rank = len(size)
    strides, dilation = spatial(node, size, "strides", 1), spatial(node, size, "dilations", 1)
    if len(strides) != rank or len(dilation) != rank:
        return None
    padding, added = _padding(node, rank), _added_axes(site, node, rank)
    if isinstance(padding, str) and node.op != "ConvTranspose":
        padding = _as_pairs(site, node, padding, (size, strides, dilation))
    kept = [i for i in range(rank) if i not in added or size[i] != 1]
    return {
        "kernel_size": _picked(size, kept),
        "strides": _picked(strides, kept),
        "dilation": _picked(dilation, kept),
        "padding": padding if isinstance(padding, str) else _picked(padding, kept),
        "data_format": node.data_format,
    }


def _picked(values: Sequence[T], places: Sequence[int]) -> tuple[T, ...]:
    return tuple(values[place] for place in places)


def _padding(node: Node, rank: int) -> str | Pairs:
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        return "same" if mode == "SAME_UPPER" else "same_lower"
    none = (0,) * (2 * rank)
    pads = tuple(node.attributes.get("pads") or none) if mode == "NOTSET" else none
    if len(pads) != 2 * rank:
        return "unknown"
    return tuple((int(pads[i]), int(pads[i + rank])) for i in range(rank))


def _as_pairs(
    site: Site, node: Node, padding: str, window: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
) -> str | Pairs:
    """`same` as pairs where the lengths of the input's axes are known. window: sizes, strides, dilation."""
    size, strides, dilation = window
    shape = site.shapes.get(node.inputs[0]) or ()
    lengths = shape[1:-1] if node.has_channels_last else shape[2:]
    spans = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
    pairs = (
        same_pairs(spans, strides, lengths) if padding in ("same", "same_lower") and min(strides) else None
    )
    if pairs is None or padding == "same":
        return pairs or padding
    return tuple((behind, before) for before, behind in pairs)


def _added_axes(site: Site, node: Node, rank: int) -> tuple[int, ...]:
    """The spatial axes of length one that exist only because an Unsqueeze put them there."""
    source, order = site.net.source(node.inputs[0]), _axes_of_data(node, rank)
    for _ in range(VIEWS_BEFORE):
        if source is None:
            return ()
        if source.op == "Unsqueeze":
            return _unsqueezed(site, source, order)
        turned = _turned(source, order)
        if turned is None:
            return ()
        order = turned
        source = site.net.source(source.inputs[0])
    return ()


def _axes_of_data(node: Node, rank: int) -> tuple[int, ...]:
    """Which axes of the data are the batch, the channels and space."""
    return (0, rank + 1, *range(1, rank + 1)) if node.has_channels_last else tuple(range(rank + 2))


def _turned(node: Node, order: tuple[int, ...]) -> tuple[int, ...] | None:
    """The order of the axes before a node, where it moves or keeps them; None where it may do more."""
    permutation = node.attributes.get("perm", ())
    if node.op == "Transpose" and len(permutation) == len(order):
        return tuple(permutation[i] for i in order)
    return order if node.op in PASSING else None


def _unsqueezed(site: Site, node: Node, order: tuple[int, ...]) -> tuple[int, ...]:
    """The spatial axes that an Unsqueeze adds, as they lie after a Transpose."""
    rank = len(order)
    added = {axis % rank for axis in axes_of(node, site.net.numbers) or ()}
    return tuple(i - 2 for i in range(2, rank) if order[i] in added)


BUILDERS: dict[str, Builder] = {
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "MaxPool": pool,
    "AveragePool": pool,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "Pad": pad,
}
