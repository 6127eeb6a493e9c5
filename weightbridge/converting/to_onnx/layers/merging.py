"""Layers that join several inputs."""

from collections.abc import Callable, Mapping, Sequence

from weightbridge.converting.to_onnx.arrange import arranged, as_keras, with_ones
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import binary, common_order, unary, with_number
from weightbridge.converting.to_onnx.layers.reductions import reduced
from weightbridge.converting.to_onnx.values import Value, straight
from weightbridge.converting.to_onnx.writer import Writer
from weightbridge.model.graph import Shape


def _elementwise(op: str, of_many: str = "") -> Builder:
    """One after another, as Keras does it. of_many: the node for more than two at once."""

    def build(call: Call) -> Value:
        values = _of_one_rank(call)
        made = _at_once(call.writer, of_many, values) if of_many and _are_alike(values) else None
        first, *others = values if made is None else [made]
        for value in others:
            first = binary(call.writer, op, first, value)
        return first.named(first.name, mask=_either(call.writer, call.inputs))

    return build


def _are_alike(values: Sequence[Value]) -> bool:
    """Whether there are several of one shape and of floats, which a node takes at once."""
    return len(values) > 2 and len({value.shape for value in values}) == 1 and _are_floats(values)


def _are_floats(values: Sequence[Value]) -> bool:
    return {value.dtype for value in values} == {"float32"}


def _at_once(writer: Writer, op: str, values: Sequence[Value]) -> Value:
    order = common_order(values)
    turned = [arranged(writer, value, order) for value in values]
    return turned[0].named(writer.op(op, *(value.name for value in turned)))


def _average(call: Call) -> Value:
    values = _of_one_rank(call)
    if len({value.shape for value in values}) == 1 and _are_floats(values):
        made = _at_once(call.writer, "Mean", values)
        return made.named(made.name, mask=_either(call.writer, call.inputs))
    total = _elementwise("Add")(call)
    assert isinstance(total, Value), "one output"
    return with_number(call.writer, "Div", total, float(len(call.inputs)), "count")


def _of_one_rank(call: Call) -> list[Value]:
    """Where ranks differ Keras puts axes of length 1 behind the batch."""
    rank = max(value.rank for value in call.inputs)
    return [value if value.rank in (0, rank) else _widened(call, value, rank) for value in call.inputs]


def _widened(call: Call, value: Value, rank: int) -> Value:
    return with_ones(call.writer, value, range(1, 1 + rank - value.rank))


def _concatenated(call: Call) -> Value:
    axis = int(call.settings.get("axis", -1))
    joined = concatenated(call.writer, call.inputs, axis)
    if axis % joined.rank == joined.rank - 1:
        return joined.named(joined.name, mask=_either(call.writer, call.inputs))
    masks = [value.mask for value in call.inputs if value.mask is not None]
    if masks and (len(masks) < len(call.inputs) or axis % joined.rank != 1):
        raise call.refused("joins what has a mask and what has none")
    mask = concatenated(call.writer, masks, 1) if masks else None
    return joined.named(joined.name, mask=mask)


def _either(writer: Writer, values: Sequence[Value]) -> Value | None:
    """What Keras makes of several masks: steps that any of them counts. None where one has no mask."""
    masks = [value.mask for value in values if value.mask is not None]
    if len(masks) < len(values):
        return None
    first, *others = masks
    for mask in others:
        first = binary(writer, "Or", first, mask)
    return first


def concatenated(writer: Writer, values: Sequence[Value], axis: int) -> Value:
    """The values one behind the other along an axis of Keras's."""
    order = common_order(values)
    values = [arranged(writer, value, order) for value in values]
    axis %= values[0].rank
    name = writer.op("Concat", *(value.name for value in values), axis=order.index(axis))
    return Value(name, _joined([value.shape for value in values], axis), order, values[0].dtype)


def _joined(shapes: list[Shape], axis: int) -> Shape:
    lengths = [shape[axis] for shape in shapes]
    known = [length for length in lengths if length is not None]
    total = sum(known) if len(known) == len(lengths) else None
    return tuple(total if n == axis else length for n, length in enumerate(shapes[0]))


def _dot(call: Call) -> Value:
    """Keras's batch_dot as an Einsum; of two vectors the result keeps an axis of length 1."""
    first, second = (as_keras(call.writer, value) for value in call.inputs)
    axes = call.settings["axes"]
    both = axes if isinstance(axes, tuple) else (axes, axes)
    one, other = (int(axis) % value.rank for axis, value in zip(both, (first, second), strict=True))
    if call.settings.get("normalize"):
        first, second = _unit(call, first, one), _unit(call, second, other)
    letters = "abcdefghij"
    of_first = list(letters[: first.rank])
    of_second = ["a", *letters[first.rank : first.rank + second.rank - 1]]
    of_second[other] = of_first[one]
    rest = [n for n in of_first if n != of_first[one]] + [n for n in of_second[1:] if n != of_first[one]]
    equation = f"{''.join(of_first)},{''.join(of_second)}->{''.join(rest)}"
    name = call.writer.op("Einsum", first.name, second.name, equation=equation)
    lengths = {
        **dict(zip(of_second, second.shape, strict=True)),
        **dict(zip(of_first, first.shape, strict=True)),
    }
    shape = tuple(lengths[n] for n in rest)
    if len(shape) == 1:
        name = call.writer.unsqueezed(name, [1])
        shape = (shape[0], 1)
    return Value(name, shape, straight(len(shape)))


def _unit(call: Call, value: Value, axis: int) -> Value:
    square = binary(call.writer, "Mul", value, value)
    length = reduced(call.writer, "ReduceSum", square, [axis], keepdims=True)
    limit = call.writer.constant("smallest", 1e-12)
    length = length.named(call.writer.op("Max", length.name, limit))
    return binary(call.writer, "Div", value, unary(call.writer, "Sqrt", length))


BUILDERS: Mapping[str, Callable[[Call], Value | tuple[Value, ...]]] = {
    "Add": _elementwise("Add", "Sum"),
    "Subtract": _elementwise("Sub"),
    "Multiply": _elementwise("Mul"),
    "Maximum": _elementwise("Max", "Max"),
    "Minimum": _elementwise("Min", "Min"),
    "Average": _average,
    "Concat": _concatenated,
    "Dot": _dot,
}
