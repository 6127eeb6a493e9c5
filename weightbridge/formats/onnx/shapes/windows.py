"""Shapes after a sliding window or padding."""

from collections.abc import Mapping

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.shapes.rule import Facts, Rule, Shape
from weightbridge.formats.onnx.values.values import Net


def spatial(node: Node, kernel: tuple[int, ...], name: str, default: int) -> tuple[int, ...]:
    """A spatial attribute with one number per axis."""
    return tuple(node.attributes.get(name) or (default,) * len(kernel))


def _window(node: Node, size: Shape, kernel: tuple[int, ...]) -> Shape:
    """The grid after a sliding window."""
    strides, dilations = spatial(node, kernel, "strides", 1), spatial(node, kernel, "dilations", 1)
    pads = tuple(node.attributes.get("pads") or (0,) * (2 * len(kernel)))
    mode, up = node.attributes.get("auto_pad", "NOTSET"), bool(node.attributes.get("ceil_mode", 0))
    found: list[int | None] = []
    for i, n in enumerate(size):
        if n is None:
            found.append(None)
        elif mode in ("SAME_UPPER", "SAME_LOWER"):
            found.append(-(-n // strides[i]))
        else:
            room = (
                n
                + (0 if mode == "VALID" else pads[i] + pads[i + len(kernel)])
                - dilations[i] * (kernel[i] - 1)
                - 1
            )
            found.append((-(-room // strides[i]) if up else room // strides[i]) + 1)
    return tuple(found)


def conv(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    x, w = inputs[0], inputs[1]
    if x is None or w is None or len(x) != len(w):
        return None
    return x[0], w[0], *_window(node, x[2:], tuple(int(n or 0) for n in w[2:]))


def conv_transpose(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    x, w = inputs[0], inputs[1]
    if x is None or w is None or len(x) != len(w) or w[1] is None:
        return None
    kernel = tuple(int(n or 0) for n in w[2:])
    strides, dilations, extra = (
        spatial(node, kernel, k, d) for k, d in (("strides", 1), ("dilations", 1), ("output_padding", 0))
    )
    pads = tuple(node.attributes.get("pads") or (0,) * (2 * len(kernel)))
    channels = w[1] * int(node.attributes.get("group", 1))
    if node.attributes.get("output_shape"):
        return x[0], channels, *tuple(node.attributes["output_shape"])[-len(kernel) :]
    same = node.attributes.get("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER")
    grid = []
    for i, n in enumerate(x[2:]):
        full = (
            None
            if n is None
            else strides[i] * (n - 1)
            + extra[i]
            + dilations[i] * (kernel[i] - 1)
            + 1
            - pads[i]
            - pads[i + len(kernel)]
        )
        grid.append(n * strides[i] if same and n is not None else full)
    return x[0], channels, *grid


def pool(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    x, kernel = inputs[0], tuple(node.attributes.get("kernel_shape", ()))
    return None if x is None or len(x) != len(kernel) + 2 else (x[0], x[1], *_window(node, x[2:], kernel))


def global_pool(_: Node, inputs: list[Shape | None], __: Facts) -> Shape | None:
    return None if inputs[0] is None else (*inputs[0][:2], *(1,) * (len(inputs[0]) - 2))


def pad(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    x, pads = inputs[0], pads_of(node, facts.net)
    if x is None or pads is None or len(pads) != 2 * len(x):
        return None
    return tuple(None if n is None else n + pads[i] + pads[i + len(x)] for i, n in enumerate(x))


def pads_of(node: Node, net: Net) -> tuple[int, ...] | None:
    """A Pad's numbers: all axes' befores, then all afters."""
    given = node.attributes.get("pads", node.attributes.get("paddings"))
    return (
        tuple(given) if given is not None else net.integers(node.inputs[1]) if len(node.inputs) > 1 else None
    )


RULES: Mapping[str, Rule] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": pool,
    "AveragePool": pool,
    "LpPool": pool,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "Pad": pad,
}
