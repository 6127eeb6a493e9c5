"""Shapes after nodes that turn, reshape or join values."""

from collections.abc import Mapping
from math import prod

from weightbridge.formats.onnx_proto import Node
from weightbridge.formats.onnx_shapes_values import Rule, Shape
from weightbridge.formats.onnx_values import Net
from weightbridge.formats.onnx_views import axes_of


def transpose(node: Node, inputs: list[Shape | None], _: Net) -> Shape | None:
    x = inputs[0] or ()
    return tuple(x[i] for i in node.attributes.get("perm") or reversed(range(len(x))))


def reshape(node: Node, inputs: list[Shape | None], net: Net) -> Shape | None:
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
    """The shape that a Reshape asks for, None for each part that is computed from the input; None where not even their number is known."""
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


def flatten(node: Node, inputs: list[Shape | None], _: Net) -> Shape | None:
    x, axis = inputs[0] or (), int(node.attributes.get("axis", 1))
    parts = x[:axis], x[axis:]
    first, rest = (None if None in p else prod(n for n in p if n is not None) for p in parts)
    return first, rest


def squeeze(node: Node, inputs: list[Shape | None], net: Net) -> Shape | None:
    x, axes = inputs[0] or (), axes_of(node, net.numbers)
    gone = {a % len(x) for a in axes} if axes else {i for i, n in enumerate(x) if n == 1}
    return tuple(n for i, n in enumerate(x) if i not in gone)


def unsqueeze(node: Node, inputs: list[Shape | None], net: Net) -> Shape | None:
    x, axes = inputs[0] or (), axes_of(node, net.numbers)
    if axes is None:
        return None
    rank = len(x) + len(axes)
    added, rest = {a % rank for a in axes}, iter(x)
    return tuple(1 if i in added else next(rest) for i in range(rank))


def concat(node: Node, inputs: list[Shape | None], _: Net) -> Shape | None:
    if any(s is None for s in inputs):
        return None
    known = [s for s in inputs if s is not None]
    axis = int(node.attributes["axis"]) % len(known[0])
    lengths = [s[axis] for s in known]
    joined = None if None in lengths else sum(n for n in lengths if n is not None)
    return tuple(joined if i == axis else n for i, n in enumerate(known[0]))


RULES: Mapping[str, Rule] = {
    "Transpose": transpose,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Concat": concat,
}
