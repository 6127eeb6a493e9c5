"""Convolutions: plain, transposed, by channel, separable."""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.converting.to_onnx.arrange import spatial
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import as_floats
from weightbridge.converting.to_onnx.layers.activations import activated
from weightbridge.converting.to_onnx.values import Value
from weightbridge.model.tensors import Tensor

SPACE = ("d", "h", "w")
Padding = str | tuple[tuple[int, int], ...]


def padding_attributes(padding: Padding) -> dict[str, Any]:
    """As ONNX says it; `same` where the size of the input decides."""
    if isinstance(padding, str):
        return {"auto_pad": "SAME_UPPER"}
    return {"pads": (*(before for before, _ in padding), *(after for _, after in padding))}


def bias_of(call: Call) -> tuple[str, ...]:
    bias = call.optional("bias")
    return () if bias is None else (call.writer.weight(bias, bias.shape),)


def turned_kernel(call: Call, tensor: Tensor, wanted: str) -> str:
    """A kernel in ONNX's order of axes; `...` stands for those of space."""
    axes = _axes(call, tensor)
    space = " ".join(name for name in SPACE if name in axes.split())
    target = wanted.replace("...", space)
    lengths = dict(zip(_names(axes), tensor.shape, strict=True))
    shape = [_length(group, lengths) for group in _names(target)]
    pattern = f"{axes} -> {target}"
    if not call.settings.get("kernel_flipped"):
        return call.writer.weight(tensor, shape, pattern)
    turned = [n for n, name in enumerate(_names(axes)) if name in SPACE]
    return call.writer.weight(tensor, shape, "flip", {"axes": turned, "pattern": pattern})


def _axes(call: Call, tensor: Tensor) -> str:
    """Keras 1 keeps the kernel of a Conv1D in two dimensions, the second of length 1."""
    is_flat = len(call.settings["kernel_size"]) == 1 and tensor.axes == "h w i o"
    return "h 1 i o" if is_flat else tensor.axes


def _names(axes: str) -> list[str]:
    """h w (c m) -> h, w, c m"""
    groups = axes.replace("( ", "(").replace(" )", ")")
    names, inside = [""], False
    for letter in groups:
        inside = letter == "(" or (inside and letter != ")")
        if letter == " " and not inside:
            names.append("")
        elif letter not in "()":
            names[-1] += letter
    return names


def _length(group: str, lengths: Mapping[str, int]) -> int:
    length = 1
    for name in group.split():
        length *= 1 if name == "1" else lengths[name]
    return length


def _window(call: Call) -> dict[str, Any]:
    settings = call.settings
    return {
        "kernel_shape": settings["kernel_size"],
        "strides": settings["strides"],
        "dilations": settings["dilation"],
        **padding_attributes(settings["padding"]),
    }


def _input(call: Call) -> Value:
    return spatial(call.writer, as_floats(call.writer, call.first), call.settings["data_format"])


def _given(call: Call, name: str, value: Value, shape: Sequence[int | None]) -> Value:
    return activated(call, Value(name, tuple(shape), value.order))


def _conv(call: Call) -> Value:
    value = _input(call)
    kernel = turned_kernel(call, call.tensor("kernel"), "o i ...")
    group = int(call.settings["groups"])
    name = call.writer.op("Conv", value.name, kernel, *bias_of(call), group=group, **_window(call))
    return _given(call, name, value, call.known_shape())


def _depthwise(call: Call) -> Value:
    value = _input(call)
    kernel, group = _by_channel(call, "kernel")
    name = call.writer.op("Conv", value.name, kernel, *bias_of(call), group=group, **_window(call))
    return _given(call, name, value, call.known_shape())


def _by_channel(call: Call, role: str) -> tuple[str, int]:
    """The kernel with an output for each pair of a channel and a multiplier, and the number of channels."""
    tensor = call.tensor(role)
    return turned_kernel(call, tensor, "(c m) 1 ..."), tensor.shape[tensor.axes.split().index("c")]


def _separable(call: Call) -> Value:
    value = _input(call)
    depth, group = _by_channel(call, "depthwise_kernel")
    middle = call.writer.op("Conv", value.name, depth, group=group, **_window(call))
    point = turned_kernel(call, call.tensor("pointwise_kernel"), "o i ...")
    name = call.writer.op("Conv", middle, point, *bias_of(call))
    return _given(call, name, value, call.known_shape())


def _transposed(call: Call) -> Value:
    """What Keras cuts off beyond the end is output padding."""
    value, settings = _input(call), call.settings
    kernel = turned_kernel(call, call.tensor("kernel"), "i o ...")
    spans = [d * (k - 1) + 1 for k, d in zip(settings["kernel_size"], settings["dilation"], strict=True)]
    cut = [(before, max(after, 0)) for before, after in settings["padding"]]
    beyond = [max(-after, 0) for _, after in settings["padding"]]
    strides = settings["strides"]
    if settings.get("output_padding") is None:
        beyond = [max(s - span, 0) + n for s, span, n in zip(strides, spans, beyond, strict=True)]
    window = {**_window(call), **padding_attributes(tuple(cut))}
    if any(beyond):
        window["output_padding"] = tuple(beyond)
    name = call.writer.op("ConvTranspose", value.name, kernel, *bias_of(call), **window)
    return _given(call, name, value, call.known_shape())


BUILDERS: Mapping[str, Builder] = {
    "Conv": _conv,
    "DepthwiseConv": _depthwise,
    "SeparableConv": _separable,
    "ConvTranspose": _transposed,
}
