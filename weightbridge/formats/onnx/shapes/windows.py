"""Shapes after a sliding window or padding."""

from collections.abc import Mapping

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.shapes.rule import Facts, Rule, Shape
from weightbridge.formats.onnx.values.net import Net

SAME = ("SAME_UPPER", "SAME_LOWER")  # the grid keeps its size but for strides


def spatial(node: Node, kernel: tuple[int, ...], name: str, default: int) -> tuple[int, ...]:
    """A spatial attribute with one number per axis."""
    return tuple(node.attributes.get(name) or (default,) * len(kernel))


def conv(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    shape, weights = inputs[0], inputs[1]
    if shape is None or weights is None or len(shape) != len(weights):
        return None
    grid = _window(node, shape[2:], _kernel(weights))
    return shape[0], weights[0], *grid


def _kernel(weights: Shape) -> tuple[int, ...]:
    """The spatial lengths of a kernel; 0 for one that is not known."""
    return tuple(n or 0 for n in weights[2:])


def _window(node: Node, size: Shape, kernel: tuple[int, ...]) -> Shape:
    """The grid after a sliding window."""
    return tuple(None if n is None else _positions(node, n, kernel, i) for i, n in enumerate(size))


def _positions(node: Node, length: int, kernel: tuple[int, ...], axis: int) -> int:
    """How many places the window takes along a spatial axis."""
    stride = spatial(node, kernel, "strides", 1)[axis]
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode in SAME:
        return -(-length // stride)
    dilation = spatial(node, kernel, "dilations", 1)[axis]
    reach = dilation * (kernel[axis] - 1) + 1
    padding = 0 if mode == "VALID" else _padding(node, kernel, axis)
    room = length + padding - reach
    rounds_up = bool(node.attributes.get("ceil_mode", 0))
    steps = -(-room // stride) if rounds_up else room // stride
    return steps + 1


def _padding(node: Node, kernel: tuple[int, ...], axis: int) -> int:
    """How much is added to a spatial axis, before and after it together."""
    pads = node.attributes.get("pads") or (0,) * (2 * len(kernel))
    return int(pads[axis] + pads[axis + len(kernel)])


def conv_transpose(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    shape, weights = inputs[0], inputs[1]
    if shape is None or weights is None or len(shape) != len(weights) or weights[1] is None:
        return None
    kernel = _kernel(weights)
    channels = weights[1] * int(node.attributes.get("group", 1))
    if node.attributes.get("output_shape"):
        stated = tuple(node.attributes["output_shape"])
        return shape[0], channels, *stated[-len(kernel) :]
    grid = [
        None if length is None else _upsampled(node, length, kernel, i) for i, length in enumerate(shape[2:])
    ]
    return shape[0], channels, *grid


def _upsampled(node: Node, length: int, kernel: tuple[int, ...], axis: int) -> int:
    """The length of a spatial axis after a transposed convolution."""
    stride = spatial(node, kernel, "strides", 1)[axis]
    if node.attributes.get("auto_pad", "NOTSET") in SAME:
        return length * stride
    dilation = spatial(node, kernel, "dilations", 1)[axis]
    extra = spatial(node, kernel, "output_padding", 0)[axis]
    reach = dilation * (kernel[axis] - 1) + 1
    return stride * (length - 1) + extra + reach - _padding(node, kernel, axis)


def pool(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    shape = inputs[0]
    kernel = tuple(node.attributes.get("kernel_shape", ()))
    if shape is None or len(shape) != len(kernel) + 2:
        return None
    grid = _window(node, shape[2:], kernel)
    return shape[0], shape[1], *grid


def global_pool(_: Node, inputs: list[Shape | None], __: Facts) -> Shape | None:
    shape = inputs[0]
    if shape is None:
        return None
    grid = (1,) * (len(shape) - 2)
    return *shape[:2], *grid


def pad(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    shape, pads = inputs[0], pads_of(node, facts.net)
    if shape is None or pads is None or len(pads) != 2 * len(shape):
        return None
    added = [pads[i] + pads[i + len(shape)] for i in range(len(shape))]
    return tuple(None if n is None else n + more for n, more in zip(shape, added, strict=True))


def pads_of(node: Node, net: Net) -> tuple[int, ...] | None:
    """A Pad's numbers: what is added before each axis, then what is added after each."""
    stated = node.attributes.get("pads", node.attributes.get("paddings"))
    if stated is not None:
        return tuple(stated)
    return net.integers(node.inputs[1]) if len(node.inputs) > 1 else None


def _with_channels_first(rule: Rule) -> Rule:
    """The rule for nodes whose data have their channels last, too."""

    def either(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
        data = inputs[0]
        if not node.has_channels_last or data is None:
            return rule(node, inputs, facts)
        found = rule(node, [(data[0], data[-1], *data[1:-1]), *inputs[1:]], facts)
        return None if found is None else (found[0], *found[2:], found[1])

    return either


RULES: Mapping[str, Rule] = {
    "Conv": _with_channels_first(conv),
    "ConvTranspose": _with_channels_first(conv_transpose),
    "MaxPool": _with_channels_first(pool),
    "AveragePool": _with_channels_first(pool),
    "LpPool": pool,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "Pad": pad,
}
