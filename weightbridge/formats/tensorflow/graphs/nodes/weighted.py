"""Convolutions, pools, products, norms and look-ups of TensorFlow as ONNX's."""

from collections.abc import Mapping
from typing import Any

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tensorflow.graphs.call import Call, Handler
from weightbridge.formats.tensorflow.steps import batch_matmul

PADDING = {"SAME": "SAME_UPPER", "VALID": "VALID"}
OUT_OF_HWIO = {4: (3, 2, 0, 1), 5: (4, 3, 0, 1, 2)}  # by the rank of a kernel
KERNEL = 1
NCHW = 4  # axes, where a graph says no shapes


def convolution(call: Call) -> list[Node] | None:
    kernel, window = call.shape(call.value(KERNEL)), _window(call)
    if kernel is None or len(kernel) not in OUT_OF_HWIO or window is None:
        return None
    turned = call.turned("kernel", call.value(KERNEL), OUT_OF_HWIO[len(kernel)])
    data = call.shape(call.value(0))
    channels = None if data is None else data[-1 if call.has_channels_last else 1]
    told: dict[str, Any] = {"group": groups_of(channels, kernel[-2])} if channels else {}
    return [turned, call.node("Conv", (call.value(0), turned.outputs[0]), **told, **window)]


def groups_of(channels: int | None, inside: int | None) -> int:
    """How many groups a kernel is of that has so many channels inside."""
    return channels // inside if channels and inside and channels % inside == 0 else 1


def depthwise(call: Call) -> list[Node] | None:
    """The kernel (h, w, c, m) gives c x m channels."""
    kernel, window = call.shape(call.value(KERNEL)), _window(call)
    if kernel is None or len(kernel) != 4 or window is None or None in kernel:
        return None
    rows, columns, channels, many = (int(n or 0) for n in kernel)
    turned = call.turned("turned", call.value(KERNEL), (2, 3, 0, 1))
    shape = call.constant("shape", (channels * many, 1, rows, columns))
    joined = call.inner("kernel")
    nodes = [turned, shape, Node("", "Reshape", "", (turned.outputs[0], shape.outputs[0]), (joined,), {})]
    return [*nodes, call.node("Conv", (call.value(0), joined), group=channels, **window)]


def transposed_convolution(call: Call) -> list[Node] | None:
    """Inputs: the shape of the output, the kernel (h, w, out, in), the data."""
    window, kernel = _window(call), call.shape(call.value(KERNEL))
    if kernel is None or len(kernel) != 4 or window is None or window["auto_pad"] == "NOTSET":
        return None
    turned = call.turned("kernel", call.value(KERNEL), (3, 2, 0, 1))
    return [turned, call.node("ConvTranspose", (call.value(2), turned.outputs[0]), **window)]


def _window(call: Call) -> dict[str, Any] | None:
    strides, dilations = call.spatial("strides"), call.spatial("dilations")
    padding = call.attributes.text("padding")
    found = {"strides": strides, **({"dilations": dilations} if dilations else {}), **call.layout}
    if padding in PADDING and strides:
        return {**found, "auto_pad": PADDING[padding]}
    pads = call.attributes.integers("explicit_paddings")
    if padding != "EXPLICIT" or len(pads) != 2 * len(strides) + 4:
        return None
    borders = pads[2:-2] if call.has_channels_last else pads[4:]
    return {**found, "auto_pad": "NOTSET", "pads": (*borders[::2], *borders[1::2])}


def pool(op: str) -> Handler:
    def handle(call: Call) -> list[Node] | None:
        size, window = call.spatial("ksize"), _window(call)
        if not size or window is None or min(size) < 1:
            return None
        return [call.node(op, call.inputs[:1], kernel_shape=size, **window)]

    return handle


def bias_add(call: Call) -> list[Node] | None:
    if call.has_channels_last:
        return [call.node("Add", call.inputs)]
    rank, bias = call.rank(call.value(0)) or NCHW, call.inner("bias")
    axes = tuple(range(1, rank - 1))
    return [
        Node("", "Unsqueeze", "", (call.value(1),), (bias,), {"axes": axes}),
        call.node("Add", (call.value(0), bias)),
    ]


def batch_norm(call: Call) -> list[Node] | None:
    if call.attributes.integer("is_training", 1) or len(call.inputs) < 5:
        return None
    found: dict[str, Any] = {"epsilon": call.attributes.decimal("epsilon", 1e-4), **call.layout}
    return [call.node("BatchNormalization", call.inputs[:5], **found)]


def matmul(call: Call) -> list[Node] | None:
    if call.attributes.integer("transpose_a"):
        return None
    return [call.node("Gemm", call.inputs, transB=call.attributes.integer("transpose_b"))]


def stacked_matmul(call: Call) -> list[Node] | None:
    told = call.attributes
    return batch_matmul(call, (bool(told.integer("adj_x")), bool(told.integer("adj_y"))))


def gather(call: Call) -> list[Node] | None:
    """Inputs: the table, the indices, the axis."""
    axis = call.integers(2) if len(call.inputs) > 2 else (0,)
    if not axis or call.attributes.integer("batch_dims"):
        return None
    return [call.node("Gather", call.inputs[:2], axis=axis[0])]


def einsum(call: Call) -> list[Node]:
    return [call.node("Einsum", call.inputs, equation=call.attributes.text("equation"))]


HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(("Conv2D", "Conv3D"), convolution),
    "DepthwiseConv2dNative": depthwise,
    "Conv2DBackpropInput": transposed_convolution,
    **dict.fromkeys(("MaxPool", "MaxPoolV2", "MaxPool3D"), pool("MaxPool")),
    **dict.fromkeys(("AvgPool", "AvgPool3D"), pool("AveragePool")),
    "BiasAdd": bias_add,
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), batch_norm),
    "MatMul": matmul,
    **dict.fromkeys(("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), stacked_matmul),
    **dict.fromkeys(("Gather", "GatherV2", "ResourceGather"), gather),
    "Einsum": einsum,
}
