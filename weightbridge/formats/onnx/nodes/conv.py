"""Convolutions, pooling and padding of ONNX as canonical layers."""

from typing import Any

from weightbridge.formats.onnx.drafts import SPACE, Builder, Draft, Site, Slot, decimal, draft
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.shapes.windows import pads_of, spatial

Pairs = tuple[tuple[int, int], ...]
WEIGHTS = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "ConvInteger": (1, 9),
    "QLinearConv": (3, 8),
}  # inputs: kernel, bias


def convolution(site: Site, node: Node, index: int) -> Draft | None:
    """Conv and its quantised forms; DepthwiseConv where every group has one input channel."""
    at = WEIGHTS[node.op][0]
    kernel = site.constant(node.inputs[at]) if len(node.inputs) > at else None
    if kernel is None or kernel.shape is None or len(kernel.shape) < 3:
        return None
    groups, size = int(node.attributes.get("group", 1)), kernel.shape[2:]
    found = _sliding(site, node, size) | {"groups": groups, "filters": kernel.shape[0]}
    op, axes = "Conv", f"o i {SPACE.get(len(size), '')}"
    if groups > 1 and kernel.shape[1] == 1 and kernel.shape[0] % groups == 0:
        op, axes = "DepthwiseConv", f"(c m) 1 {SPACE.get(len(size), '')}"
        found |= {"groups": 1, "depth_multiplier": kernel.shape[0] // groups}
        del found["filters"]
    return _with_weights(site, node, index, op, found, Slot("kernel", kernel, axes))


def transposed_convolution(site: Site, node: Node, index: int) -> Draft | None:
    at = WEIGHTS[node.op][0]
    kernel = site.constant(node.inputs[at]) if len(node.inputs) > at else None
    if kernel is None or kernel.shape is None or len(kernel.shape) < 3:
        return None
    groups, size = int(node.attributes.get("group", 1)), kernel.shape[2:]
    found = _sliding(site, node, size) | {"groups": groups, "filters": kernel.shape[1] * groups}
    extra = node.attributes.get("output_padding")
    if extra and any(extra):
        found["output_padding"] = tuple(extra)
    return _with_weights(
        site, node, index, "ConvTranspose", found, Slot("kernel", kernel, f"i o {SPACE.get(len(size), '')}")
    )


def pool(site: Site, node: Node, index: int) -> Draft | None:
    size = tuple(node.attributes.get("kernel_shape", ()))
    found = _sliding(site, node, size)
    kept = {
        "kind": "max" if node.op == "MaxPool" else "average",
        "rank": len(found["kernel_size"]),
        "pool_size": found["kernel_size"],
    }
    return draft(
        site, node, index, "Pool", kept | {k: found[k] for k in ("strides", "padding", "data_format")}
    )


def global_pool(site: Site, node: Node, index: int) -> Draft | None:
    kind = "max" if node.op == "GlobalMaxPool" else "average"
    return draft(site, node, index, "GlobalPool", {"kind": kind, "data_format": "channels_first"})


def pad(site: Site, node: Node, index: int) -> Draft | None:
    """Padding of spatial axes, as pairs; batch and channel axes are told apart by being zero."""
    numbers = pads_of(node, site.net)
    found: dict[str, Any] = {"mode": node.attributes.get("mode", "constant")}
    if found["mode"] == "constant":
        given = (
            site.net.scalar(node.inputs[2])
            if len(node.inputs) > 2 and node.inputs[2]
            else node.attributes.get("value", 0.0)
        )
        found["value"] = decimal(given) if given is not None else None
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
    bias_at = WEIGHTS[node.op][1]
    bias = site.constant(node.inputs[bias_at]) if len(node.inputs) > bias_at else None
    slots = (kernel, Slot("bias", bias, "o") if bias else None)
    return draft(site, node, index, op, {**found, "use_bias": bias is not None}, *slots)


def _sliding(site: Site, node: Node, size: tuple[int, ...]) -> dict[str, Any]:
    """The window's attributes. A one-dimensional convolution that was written as a two-dimensional one is
    given as what it is.
    """
    strides, dilation = spatial(node, size, "strides", 1), spatial(node, size, "dilations", 1)
    padding = _padding(node, len(size))
    kept = [i for i in range(len(size)) if i not in _added_axes(site, node, len(size)) or size[i] != 1]
    return {
        "kernel_size": tuple(size[i] for i in kept),
        "strides": tuple(strides[i] for i in kept),
        "dilation": tuple(dilation[i] for i in kept),
        "padding": padding if isinstance(padding, str) else tuple(padding[i] for i in kept),
        "data_format": "channels_first",
    }


def _padding(node: Node, rank: int) -> str | Pairs:
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        return "same" if mode == "SAME_UPPER" else "same_lower"
    pads = tuple(node.attributes.get("pads") or (0,) * (2 * rank)) if mode == "NOTSET" else (0,) * (2 * rank)
    return (
        tuple((int(pads[i]), int(pads[i + rank])) for i in range(rank))
        if len(pads) == 2 * rank
        else "unknown"
    )


def _added_axes(site: Site, node: Node, rank: int) -> tuple[int, ...]:
    """The spatial axes of length one that exist only because an Unsqueeze, or a Reshape, put them there."""
    value, order = node.inputs[0], tuple(range(rank + 2))
    for _ in range(4):
        source = site.net.source(value)
        if source is None:
            return ()
        if source.op == "Transpose" and len(source.attributes.get("perm", ())) == rank + 2:
            order = tuple(source.attributes["perm"][i] for i in order)
        elif source.op == "Unsqueeze":
            axes = source.attributes.get("axes") or site.net.integers(source.inputs[1]) or ()
            added = {a % (rank + 2) for a in axes}
            return tuple(i - 2 for i in range(2, rank + 2) if order[i] in added)
        elif source.op not in ("Pad", "Cast", "Identity", "Relu"):
            return ()
        value = source.inputs[0]
    return ()


BUILDERS: dict[str, Builder] = {
    "Conv": convolution,
    "ConvInteger": convolution,
    "QLinearConv": convolution,
    "ConvTranspose": transposed_convolution,
    "MaxPool": pool,
    "AveragePool": pool,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "Pad": pad,
}
