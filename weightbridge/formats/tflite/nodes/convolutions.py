"""Convolutions and pools: their data have channels last, their kernels are turned as ONNX has them."""

from collections.abc import Mapping
from typing import Any

from weightbridge.formats.onnx.proto import CHANNELS_LAST, Node
from weightbridge.formats.tflite.nodes.call import Call, Handler, activated

PADDING = {0: "SAME_UPPER", 1: "VALID"}
OUT_OF_OHWI = (0, 3, 1, 2)  # out, in, rows, columns
DEPTHWISE = (3, 0, 1, 2)
OUT_OF_DHWIO = (4, 3, 0, 1, 2)
KERNEL, BIAS = 1, 2


def convolution(call: Call) -> list[Node] | None:
    kernel, data = call.shape(call.value(KERNEL)), call.shape(call.value(0))
    if kernel is None or len(kernel) != 4 or call.byte(0) not in PADDING:
        return None
    groups = _groups(data[-1] if data else None, kernel[-1])
    found = _window(call, dilation=4) | {"group": groups}
    return _conv(call, OUT_OF_OHWI, found, call.byte(3))


def _groups(channels: int | None, read: int | None) -> int:
    """A grouped convolution is told by a kernel that reads fewer channels than there are."""
    return channels // read if channels and read and channels % read == 0 else 1


def depthwise(call: Call) -> list[Node] | None:
    kernel = call.shape(call.value(KERNEL))
    multiplier = max(call.integer(3, 1), 1)
    if kernel is None or len(kernel) != 4 or call.byte(0) not in PADDING:
        return None
    if not kernel[-1] or kernel[-1] % multiplier:
        return None
    found = _window(call, dilation=5) | {"group": kernel[-1] // multiplier}
    return _conv(call, DEPTHWISE, found, call.byte(4))


def convolution_of_volumes(call: Call) -> list[Node] | None:
    if call.rank(call.value(KERNEL)) != 5 or call.byte(0) not in PADDING:
        return None
    depth, columns, rows = (call.integer(field, 1) for field in (1, 2, 3))
    dilation = tuple(call.integer(field, 1) for field in (5, 7, 6))
    found = {"strides": (depth, rows, columns), "dilations": dilation, "auto_pad": PADDING[call.byte(0)]}
    return _conv(call, OUT_OF_DHWIO, {**found, CHANNELS_LAST: 1}, call.byte(4))


def _window(call: Call, dilation: int) -> dict[str, Any]:
    """Strides and padding; dilation: the field of the columns' dilation, that of the rows follows."""
    return {
        "strides": (call.integer(2, 1), call.integer(1, 1)),
        "dilations": (call.integer(dilation + 1, 1), call.integer(dilation, 1)),
        "auto_pad": PADDING[call.byte(0)],
        CHANNELS_LAST: 1,
    }


def _conv(call: Call, order: tuple[int, ...], found: Mapping[str, Any], code: int) -> list[Node] | None:
    turned = call.turned("kernel", call.value(KERNEL), order)
    bias = (call.value(BIAS),) if call.value(BIAS) else ()

    def nodes(output: str) -> list[Node]:
        return [turned, call.node("Conv", (call.value(0), turned.outputs[0], *bias), output, **found)]

    return activated(call, code, nodes)


def transposed_convolution(call: Call) -> list[Node] | None:
    """Inputs: the shape of the output, the kernel, the data, the bias."""
    kernel, data = call.shape(call.value(1)), call.shape(call.value(2))
    shape = call.shape(call.output) or call.integers(0)
    if kernel is None or data is None or shape is None or len(kernel) != 4 or call.byte(0) not in PADDING:
        return None
    strides = (call.integer(2, 1), call.integer(1, 1))
    found = {"strides": strides, CHANNELS_LAST: 1, **_borders(call, data, shape, kernel, strides)}
    turned = call.turned("kernel", call.value(1), DEPTHWISE)
    bias = (call.value(3),) if call.value(3) else ()

    def nodes(output: str) -> list[Node]:
        inputs = (call.value(2), turned.outputs[0], *bias)
        return [turned, call.node("ConvTranspose", inputs, output, **found)]

    return activated(call, call.byte(3), nodes)


def _borders(call: Call, data: Any, shape: Any, kernel: Any, strides: tuple[int, int]) -> dict[str, Any]:
    """What is cut off the full output, or added to it, so that the output has its shape."""
    lengths = (*data[1:3], *shape[1:3])
    if None in lengths:
        return {"auto_pad": PADDING[call.byte(0)]}
    full = [(data[i] - 1) * strides[i - 1] + kernel[i] for i in (1, 2)]
    surplus = [full[i] - shape[i + 1] for i in range(2)]
    cut = [max(n, 0) for n in surplus]
    added = tuple(max(-n, 0) for n in surplus)
    pads = (*(n // 2 for n in cut), *(n - n // 2 for n in cut))
    return {"pads": pads} | ({"output_padding": added} if any(added) else {})


def pool(op: str) -> Handler:
    def handle(call: Call) -> list[Node] | None:
        size = (call.integer(4, 1), call.integer(3, 1))
        if call.byte(0) not in PADDING or min(size) < 1:
            return None
        found = {
            "kernel_shape": size,
            "strides": (call.integer(2, 1), call.integer(1, 1)),
            "auto_pad": PADDING[call.byte(0)],
            CHANNELS_LAST: 1,
        }
        return activated(call, call.byte(5), lambda output: [call.node(op, call.inputs, output, **found)])

    return handle


HANDLERS: Mapping[str, Handler] = {
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "CONV_3D": convolution_of_volumes,
    "TRANSPOSE_CONV": transposed_convolution,
    "AVERAGE_POOL_2D": pool("AveragePool"),
    "MAX_POOL_2D": pool("MaxPool"),
}
