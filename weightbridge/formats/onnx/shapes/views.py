"""Shapes after nodes that turn, reshape or join values."""

from collections.abc import Mapping
from math import prod

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.shapes.rule import Facts, Rule, Shape
from weightbridge.formats.onnx.values.values import Net
from weightbridge.formats.onnx.values.views import axes_of


def transpose(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    x = inputs[0] or ()
    return tuple(x[i] for i in node.attributes.get("perm") or reversed(range(len(x))))


def reshape(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    x, asked = inputs[0], reshape_target(node, facts)
    if x is None or asked is None:
        return None
    target = [x[i] if n == 0 and i < len(x) else n for i, n in enumerate(asked)]
    if None not in x and -1 in target and None not in target:
        rest = prod(n for n in target if n is not None and n > 0)
        target = [prod(n for n in x if n is not None) // rest if n == -1 else n for n in target]
    elif -1 in target and None in x and [n for n in target if n != -1 and n is not None]:
        inner, rest = prod(n for n in x if n is not None), prod(n for n in target if n is not None and n > 0)
        if (
            x[0] is None
            and x.count(None) == 1
            and inner
            and rest
            and target[0] != -1
            and inner % rest == 0
            and target[0] is None
        ):
            target = [inner // rest if n == -1 else n for n in target]
    return tuple(None if n is None or n < 0 else n for n in target)


def reshape_target(node: Node, facts: Facts) -> tuple[int | None, ...] | None:
    """The shape that a Reshape asks for, None for each part that is not known; None where not even their
    number is known.
    """
    if node.attributes.get("shape"):
        return tuple(node.attributes["shape"])
    return None if len(node.inputs) < 2 else parts_of(node.inputs[1], facts)


def parts_of(value: str, facts: Facts, depth: int = 20) -> tuple[int | None, ...] | None:
    """The elements of an integer vector that is put together from numbers and from other values' shapes."""
    known, node = facts.net.integers(value), facts.net.source(value)
    if known is not None:
        return known
    if node is None or not depth:
        return None
    if node.op == "Shape":
        return facts.shapes.get(node.inputs[0])
    parts = [parts_of(v, facts, depth - 1) for v in (node.inputs if node.op == "Concat" else node.inputs[:1])]
    if node.op == "Concat":
        return None if any(p is None for p in parts) else tuple(n for p in parts if p is not None for n in p)
    if node.op in ("Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape"):
        return parts[0]
    if node.op in ("Gather", "Slice"):
        return _picked(node, parts[0], facts.net)
    return (None,) if node.op in ("Mul", "Div", "Add", "Sub") and len(parts[0] or ()) == 1 else None


def _picked(node: Node, given: tuple[int | None, ...] | None, net: Net) -> tuple[int | None, ...] | None:
    """Elements of a shape, by index or by range; so many unknown ones where the shape is not known."""
    numbers = [net.integers(v) for v in node.inputs[1:3]]
    if not numbers or not numbers[0]:
        return None
    if node.op == "Gather":
        return tuple(
            given[i] if given is not None and -len(given) <= i < len(given) else None for i in numbers[0]
        )
    start, end = numbers[0][0], (numbers[1] or (0,))[0] if len(numbers) > 1 else 0
    if given is not None:
        return given[start:end]
    return (None,) * (end - start) if 0 <= start < end < 64 else None


def flatten(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    x, axis = inputs[0] or (), int(node.attributes.get("axis", 1))
    parts = x[:axis], x[axis:]
    first, rest = (None if None in p else prod(n for n in p if n is not None) for p in parts)
    return first, rest


def squeeze(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    x, axes = inputs[0] or (), axes_of(node, facts.net.numbers)
    gone = {a % len(x) for a in axes} if axes else {i for i, n in enumerate(x) if n == 1}
    return tuple(n for i, n in enumerate(x) if i not in gone)


def unsqueeze(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    x, axes = inputs[0] or (), axes_of(node, facts.net.numbers)
    if axes is None:
        return None
    rank = len(x) + len(axes)
    added, rest = {a % rank for a in axes}, iter(x)
    return tuple(1 if i in added else next(rest) for i in range(rank))


def concat(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    if any(s is None for s in inputs):
        return None
    known = [s for s in inputs if s is not None]
    axis = int(node.attributes["axis"]) % len(known[0])
    lengths = [s[axis] for s in known]
    joined = None if None in lengths else sum(n for n in lengths if n is not None)
    return tuple(joined if i == axis else n for i, n in enumerate(known[0]))


def shape_of(_: Node, inputs: list[Shape | None], __: Facts) -> Shape | None:
    return None if inputs[0] is None else (len(inputs[0]),)


def cut(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    """A Slice: the lengths along its axes, where they and its bounds are known."""
    x = list(inputs[0] or ())
    given = [facts.net.integers(v) if v else None for v in (*node.inputs[1:], "", "", "", "")[:4]]
    starts, ends, axes, steps = (
        node.attributes.get(k, given[i]) for i, k in enumerate(("starts", "ends", "axes", "steps"))
    )
    if len(node.inputs) > 3 and node.inputs[3] and axes is None:
        return None
    for i, axis in enumerate(axes if axes is not None else range(len(x))):
        n = x[axis]
        known = (
            n is not None
            and starts is not None
            and ends is not None
            and (steps is not None or len(node.inputs) < 5)
        )
        x[axis] = len(range(n or 0)[slice(starts[i], ends[i], steps[i] if steps else 1)]) if known else None
    return tuple(x)


def split(node: Node, shape: Shape, facts: Facts) -> dict[str, Shape]:
    """The shapes of all parts of a Split; a length is None where it is not known."""
    given = facts.net.integers(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] else None
    axis, count = int(node.attributes.get("axis", 0)), len(node.outputs)
    if not -len(shape) <= axis < len(shape):
        return {}
    n = shape[axis]
    each = None if n is None or n % count else n // count
    sizes = tuple(node.attributes.get("split", ())) or given or (each,) * count
    places = range(len(shape))
    found = zip(node.outputs, sizes, strict=False)
    return {v: tuple(size if i == axis % len(shape) else shape[i] for i in places) for v, size in found if v}


def expand(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    """Lengths of one become those that are asked for."""
    x, asked = inputs[0], parts_of(node.inputs[1], facts) if len(node.inputs) > 1 else None
    if x is None or asked is None:
        return None
    rank = max(len(x), len(asked))
    pairs = zip((1,) * (rank - len(x)) + x, (1,) * (rank - len(asked)) + asked, strict=True)
    return tuple(a if b == 1 else b if a == 1 else a if a == b else None for a, b in pairs)


def tile(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    x, times = inputs[0], parts_of(node.inputs[1], facts) if len(node.inputs) > 1 else None
    if x is None or times is None or len(times) != len(x):
        return None
    return tuple(None if n is None or k is None else n * k for n, k in zip(x, times, strict=True))


RULES: Mapping[str, Rule] = {
    "Expand": expand,
    "Tile": tile,
    "Shape": shape_of,
    "Slice": cut,
    "Transpose": transpose,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Concat": concat,
}
