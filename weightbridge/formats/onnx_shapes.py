"""Shapes of an ONNX graph's values, with the batch axis: as the file gives them, else as far as they follow from the inputs."""

from collections.abc import Callable, Mapping
from math import prod

from weightbridge.formats.onnx_proto import Graph, Node
from weightbridge.formats.onnx_values import Net
from weightbridge.formats.onnx_views import axes_of

Shape = tuple[int | None, ...]
SAME = frozenset(
    [
        "Relu",
        "Sigmoid",
        "Tanh",
        "Softmax",
        "LogSoftmax",
        "Elu",
        "Selu",
        "Celu",
        "LeakyRelu",
        "PRelu",
        "ThresholdedRelu",
        "Clip",
        "HardSigmoid",
        "HardSwish",
        "Softplus",
        "Softsign",
        "Gelu",
        "Mish",
        "Swish",
        "Erf",
        "Exp",
        "Log",
        "Sqrt",
        "Neg",
        "Abs",
        "Floor",
        "Ceil",
        "Round",
        "Reciprocal",
        "Not",
        "Identity",
        "Cast",
        "Dropout",
        "BatchNormalization",
        "LayerNormalization",
        "InstanceNormalization",
        "GroupNormalization",
        "RMSNormalization",
        "SimplifiedLayerNormalization",
        "LRN",
        "LpNormalization",
        "QuantizeLinear",
        "DequantizeLinear",
    ]
)
BROADCAST = frozenset(["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "Where", "Equal", "Greater", "Less", "And", "Or"])


def shapes_of(graph: Graph, net: Net) -> dict[str, Shape]:
    """By value name; a value whose shape is not known is absent."""
    found: dict[str, Shape] = {i.name: i.shape for i in (*graph.inputs, *graph.outputs, *graph.value_infos) if i.shape is not None}
    found.update({name: c.shape for name, c in net.constants.items() if c.shape is not None})
    found.update({name: array.shape for name, array in net.numbers.items()})
    for node in net.nodes:
        if node.outputs and node.outputs[0] and (node.outputs[0] not in found or None in found[node.outputs[0]][1:]):
            shape = _shape(node, [found.get(v) for v in node.inputs], net)
            if shape is not None:
                found[node.outputs[0]] = shape
    return found


def _shape(node: Node, inputs: list[Shape | None], net: Net) -> Shape | None:
    if not inputs or inputs[0] is None:
        return None
    if node.op in SAME:
        return inputs[0]
    if node.op in BROADCAST:
        return _broadcast(inputs)
    rule = RULES.get(node.op)
    try:
        return rule(node, inputs, net) if rule else None
    except (IndexError, ValueError, ZeroDivisionError, TypeError):
        return None  # shapes that contradict each other: not known


def _broadcast(inputs: list[Shape | None]) -> Shape | None:
    known = [s for s in inputs if s is not None]
    if len(known) < len(inputs):
        return None
    rank = max(len(s) for s in known)
    padded = [(1,) * (rank - len(s)) + s for s in known]
    return tuple(
        next((n for n in axis if n != 1), 1) if None not in axis else max((n for n in axis if n not in (None, 1)), default=None)
        for axis in zip(*padded, strict=True)
    )


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
            room = n + (0 if mode == "VALID" else pads[i] + pads[i + len(kernel)]) - dilations[i] * (kernel[i] - 1) - 1
            found.append((-(-room // strides[i]) if up else room // strides[i]) + 1)
    return tuple(found)


def _conv(node: Node, inputs: list[Shape | None], _: Net) -> Shape | None:
    x, w = inputs[0], inputs[1]
    if x is None or w is None or len(x) != len(w):
        return None
    return x[0], w[0], *_window(node, x[2:], tuple(int(n or 0) for n in w[2:]))


def _conv_transpose(node: Node, inputs: list[Shape | None], _: Net) -> Shape | None:
    x, w = inputs[0], inputs[1]
    if x is None or w is None or len(x) != len(w) or w[1] is None:
        return None
    kernel = tuple(int(n or 0) for n in w[2:])
    strides, dilations, extra = (spatial(node, kernel, k, d) for k, d in (("strides", 1), ("dilations", 1), ("output_padding", 0)))
    pads = tuple(node.attributes.get("pads") or (0,) * (2 * len(kernel)))
    channels = w[1] * int(node.attributes.get("group", 1))
    if node.attributes.get("output_shape"):
        return x[0], channels, *tuple(node.attributes["output_shape"])[-len(kernel) :]
    same = node.attributes.get("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER")
    grid = []
    for i, n in enumerate(x[2:]):
        full = None if n is None else strides[i] * (n - 1) + extra[i] + dilations[i] * (kernel[i] - 1) + 1 - pads[i] - pads[i + len(kernel)]
        grid.append(n * strides[i] if same and n is not None else full)
    return x[0], channels, *grid


def _pool(node: Node, inputs: list[Shape | None], _: Net) -> Shape | None:
    x, kernel = inputs[0], tuple(node.attributes.get("kernel_shape", ()))
    return None if x is None or len(x) != len(kernel) + 2 else (x[0], x[1], *_window(node, x[2:], kernel))


def _global_pool(_: Node, inputs: list[Shape | None], __: Net) -> Shape | None:
    return None if inputs[0] is None else (*inputs[0][:2], *(1,) * (len(inputs[0]) - 2))


def _transpose(node: Node, inputs: list[Shape | None], _: Net) -> Shape | None:
    x = inputs[0] or ()
    return tuple(x[i] for i in node.attributes.get("perm") or reversed(range(len(x))))


def _reshape(node: Node, inputs: list[Shape | None], net: Net) -> Shape | None:
    x, asked = inputs[0], reshape_target(node, net)
    if x is None or asked is None:
        return None
    target = [x[i] if n == 0 and i < len(x) else n for i, n in enumerate(asked)]
    if None not in x and -1 in target and None not in target:
        rest = prod(n for n in target if n is not None and n > 0)
        target = [prod(n for n in x if n is not None) // rest if n == -1 else n for n in target]
    elif -1 in target and None in x and [n for n in target if n != -1 and n is not None]:
        inner, rest = prod(n for n in x if n is not None), prod(n for n in target if n is not None and n > 0)
        if x[0] is None and x.count(None) == 1 and inner and rest and target[0] != -1 and inner % rest == 0 and target[0] is None:
            target = [inner // rest if n == -1 else n for n in target]
    return tuple(None if n is None or n < 0 else n for n in target)


def reshape_target(node: Node, net: Net) -> tuple[int | None, ...] | None:
    """The shape that a Reshape asks for; None for a part that is computed from the input, None for all where even their number is not known."""
    if node.attributes.get("shape"):
        return tuple(node.attributes["shape"])
    return None if len(node.inputs) < 2 else _parts(node.inputs[1], net, 20)


def _parts(value: str, net: Net, depth: int) -> tuple[int | None, ...] | None:
    """The elements of an integer vector that is put together from known and unknown ones."""
    known, node = net.integers(value), net.source(value)
    if known is not None:
        return known
    if node is None or not depth:
        return None
    if node.op in ("Cast", "Identity"):
        return _parts(node.inputs[0], net, depth - 1)
    if node.op == "Concat":
        parts = [_parts(v, net, depth - 1) for v in node.inputs]
        return None if any(p is None for p in parts) else tuple(n for p in parts if p is not None for n in p)
    if node.op == "Gather":
        index = net.integers(node.inputs[1])
        return None if index is None else (None,) * max(len(index), 1)
    if node.op in ("Unsqueeze", "Reshape"):
        return (None,)  # one element of a shape
    if node.op == "Slice" and len(node.inputs) > 2:
        starts, ends = net.integers(node.inputs[1]), net.integers(node.inputs[2])
        if starts and ends and 0 <= starts[0] < ends[0] < 64:
            return (None,) * (ends[0] - starts[0])
    return None


def _flatten(node: Node, inputs: list[Shape | None], _: Net) -> Shape | None:
    x, axis = inputs[0] or (), int(node.attributes.get("axis", 1))
    parts = x[:axis], x[axis:]
    first, rest = (None if None in p else prod(n for n in p if n is not None) for p in parts)
    return first, rest


def _squeeze(node: Node, inputs: list[Shape | None], net: Net) -> Shape | None:
    x, axes = inputs[0] or (), axes_of(node, net.numbers)
    gone = {a % len(x) for a in axes} if axes else {i for i, n in enumerate(x) if n == 1}
    return tuple(n for i, n in enumerate(x) if i not in gone)


def _unsqueeze(node: Node, inputs: list[Shape | None], net: Net) -> Shape | None:
    x, axes = inputs[0] or (), axes_of(node, net.numbers)
    if axes is None:
        return None
    rank = len(x) + len(axes)
    added, rest = {a % rank for a in axes}, iter(x)
    return tuple(1 if i in added else next(rest) for i in range(rank))


def _concat(node: Node, inputs: list[Shape | None], _: Net) -> Shape | None:
    if any(s is None for s in inputs):
        return None
    known = [s for s in inputs if s is not None]
    axis = int(node.attributes["axis"]) % len(known[0])
    lengths = [s[axis] for s in known]
    joined = None if None in lengths else sum(n for n in lengths if n is not None)
    return tuple(joined if i == axis else n for i, n in enumerate(known[0]))


def _pad(node: Node, inputs: list[Shape | None], net: Net) -> Shape | None:
    x, pads = inputs[0], pads_of(node, net)
    if x is None or pads is None or len(pads) != 2 * len(x):
        return None
    return tuple(None if n is None else n + pads[i] + pads[i + len(x)] for i, n in enumerate(x))


def pads_of(node: Node, net: Net) -> tuple[int, ...] | None:
    """A Pad's numbers: all axes' befores, then all afters."""
    given = node.attributes.get("pads", node.attributes.get("paddings"))
    return tuple(given) if given is not None else net.integers(node.inputs[1]) if len(node.inputs) > 1 else None


def _matmul(_: Node, inputs: list[Shape | None], __: Net) -> Shape | None:
    a, b = inputs[0], inputs[1]
    if a is None or b is None or len(b) < 2 or len(a) < 2:
        return None
    batch = _broadcast([a[:-2], b[:-2]])
    return None if batch is None else (*batch, a[-2], b[-1])


def _gemm(node: Node, inputs: list[Shape | None], _: Net) -> Shape | None:
    a, b = inputs[0], inputs[1]
    if a is None or b is None:
        return None
    return a[1 if node.attributes.get("transA") else 0], b[0 if node.attributes.get("transB") else 1]


def _reduce(node: Node, inputs: list[Shape | None], net: Net) -> Shape | None:
    x, axes = inputs[0] or (), axes_of(node, net.numbers)
    gone = {a % len(x) for a in axes} if axes else set(range(len(x)))
    kept = bool(node.attributes.get("keepdims", 1))
    return tuple(1 if i in gone else n for i, n in enumerate(x) if kept or i not in gone)


def _gather(node: Node, inputs: list[Shape | None], _: Net) -> Shape | None:
    x, index = inputs[0] or (), inputs[1]
    axis = int(node.attributes.get("axis", 0)) % max(len(x), 1)
    return None if index is None else (*x[:axis], *index, *x[axis + 1 :])


def _recurrent(node: Node, inputs: list[Shape | None], _: Net) -> Shape | None:
    x, r = inputs[0], inputs[2]
    return None if x is None or r is None else (x[0], r[0], x[1], r[2])


Rule = Callable[[Node, list[Shape | None], Net], Shape | None]
RULES: Mapping[str, Rule] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "LpPool": _pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Pad": _pad,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "ReduceMean": _reduce,
    "ReduceMax": _reduce,
    "ReduceSum": _reduce,
    "Gather": _gather,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}
