"""Steps of TensorFlow and TFLite as ONNX's: what both have, with the same inputs in the same order."""

from collections.abc import Callable
from typing import Any

from weightbridge.formats.onnx.proto import CHANNELS_LAST, Node
from weightbridge.formats.tensorflow.values import Values

SPATIAL = (1, 2)  # axes: rows and columns
LAST = (1 << 31) - 1  # an end beyond every axis


def plain(op: str, **attributes: Any) -> Callable[[Values], list[Node]]:
    """The same operation under ONNX's name."""
    return lambda call: [call.node(op, call.inputs, **attributes)]


def one_over_root(call: Values) -> list[Node]:
    root = call.inner("root")
    return [call.node("Sqrt", call.inputs, root), call.node("Reciprocal", (root,))]


def square(call: Values) -> list[Node]:
    return [call.node("Mul", (call.value(0), call.value(0)))]


def squared_difference(call: Values) -> list[Node]:
    difference = call.inner("difference")
    return [call.node("Sub", call.inputs, difference), call.node("Mul", (difference, difference))]


def turned_around(call: Values) -> list[Node] | None:
    """Inputs: the data, the axes whose order is turned around."""
    axes = call.integers(1)
    if axes is None:
        return None
    numbers = {"starts": -1, "ends": -LAST, "axes": 0, "steps": -1}
    told = [
        call.constant(label, axes if label == "axes" else (n,) * len(axes)) for label, n in numbers.items()
    ]
    return [*told, call.node("Slice", (call.value(0), *(node.outputs[0] for node in told)))]


def moved_blocks(call: Values, op: str, size: int) -> list[Node] | None:
    """DepthToSpace and SpaceToDepth, which ONNX has for channels before space."""
    if size < 1:
        return None
    first, moved = call.inner("channels_first"), call.inner("moved")
    return [
        call.node("Transpose", call.inputs[:1], first, perm=(0, 3, 1, 2)),
        call.node(op, (first,), moved, blocksize=size),
        call.node("Transpose", (moved,), perm=(0, 2, 3, 1)),
    ]


def not_equal(call: Values) -> list[Node]:
    equal = call.inner("equal")
    return [call.node("Equal", call.inputs, equal), call.node("Not", (equal,))]


def quotient_or_zero(call: Values) -> list[Node]:
    """Where the divisor is zero, the quotient is."""
    zero, is_zero, quotient = call.inner("zero"), call.inner("is_zero"), call.inner("quotient")
    return [
        Node("", "Constant", "", (), (zero,), {"value_float": 0.0}),
        call.node("Equal", (call.value(1), zero), is_zero),
        call.node("Div", call.inputs, quotient),
        call.node("Where", (is_zero, zero, quotient)),
    ]


def expand_dims(call: Values) -> list[Node] | None:
    axes, rank = call.integers(1), call.rank(call.value(0))
    if not axes:
        return None
    axis = axes[0] if rank is None else axes[0] % (rank + 1)
    return [call.node("Unsqueeze", (call.value(0),), axes=(axis,))]


def transpose(call: Values) -> list[Node] | None:
    order = call.integers(1)
    return None if order is None else [call.node("Transpose", (call.value(0),), perm=order)]


def batch_matmul(call: Values, are_turned: tuple[bool, bool]) -> list[Node] | None:
    """Inputs: two stacks of matrices. are_turned: whether the matrices of each are read turned."""
    nodes, factors = list[Node](), []
    for place, is_turned in enumerate(are_turned):
        value, rank = call.value(place), call.rank(call.value(place))
        if is_turned:
            if rank is None or rank < 2:
                return None
            nodes.append(call.turned(f"factor{place}", value, (*range(rank - 2), rank - 1, rank - 2)))
            value = nodes[-1].outputs[0]
        factors.append(value)
    return [*nodes, call.node("MatMul", tuple(factors))]


def pad(call: Values) -> list[Node] | None:
    """Inputs: the data, pairs of what is added before and behind each axis, the value."""
    pads = _pads(call)
    if pads is None:
        return None
    value = (call.value(2),) if call.value(2) else ()
    return [pads, call.node("Pad", (call.value(0), pads.outputs[0], *value), mode="constant")]


def reflected(call: Values) -> list[Node] | None:
    pads = _pads(call)
    if pads is None:
        return None
    return [pads, call.node("Pad", (call.value(0), pads.outputs[0]), mode="reflect")]


def _pads(call: Values) -> Node | None:
    pairs = call.integers(1)
    return None if pairs is None or len(pairs) % 2 else call.constant("pads", (*pairs[::2], *pairs[1::2]))


def resize(call: Values, mode: str, is_aligned: bool, is_half: bool) -> list[Node] | None:
    """Inputs: the data, the rows and columns. The flags say how pixels are found in the input."""
    size = call.integers(1)
    if size is None or len(size) != len(SPATIAL):
        return None
    sizes = call.constant("sizes", size)
    coordinates = "align_corners" if is_aligned else "half_pixel" if is_half else "asymmetric"
    found: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": coordinates, CHANNELS_LAST: 1}
    found["axes"] = SPATIAL
    if mode == "nearest":
        found["nearest_mode"] = "round_prefer_ceil" if is_aligned or is_half else "floor"
    return [sizes, call.node("Resize", (call.value(0), "", "", sizes.outputs[0]), **found)]


def reduction(call: Values, op: str, keeps_axes: bool) -> list[Node] | None:
    """Inputs: the data, the axes."""
    axes = call.integers(1)
    if axes is None:
        return None
    data, named = (call.value(0),), tuple(dict.fromkeys(axes))
    return [call.node(op, data, axes=named, keepdims=int(keeps_axes))]


def place_of_largest(call: Values, op: str) -> list[Node] | None:
    axis = call.integers(1)
    return None if not axis else [call.node(op, (call.value(0),), axis=axis[0], keepdims=0)]


def select(call: Values) -> list[Node] | None:
    """The older Select also chooses whole rows by a vector, which Where does not."""
    condition, chosen = call.rank(call.value(0)), call.rank(call.value(1))
    return [call.node("Where", call.inputs)] if condition == chosen and condition is not None else None
