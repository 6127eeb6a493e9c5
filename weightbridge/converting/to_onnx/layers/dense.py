"""Layers that are a product with a matrix, and look-ups."""

from collections.abc import Mapping

from weightbridge.converting.to_onnx.arrange import as_keras
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import along, as_floats, cast, with_number
from weightbridge.converting.to_onnx.layers.activations import activated
from weightbridge.converting.to_onnx.layers.convolutions import bias_of
from weightbridge.converting.to_onnx.values import Value, channels_first, straight

SPACE = {3: "1", 4: "1 1", 5: "1 1 1"}


def _dense(call: Call) -> Value:
    """A Gemm; with more axes a MatMul, or a pointwise convolution where channels come first."""
    value, kernel = as_floats(call.writer, call.first), call.tensor("kernel")
    shape = (*value.shape[:-1], kernel.shape[-1])
    if value.rank == 2:
        name = _product(call, value.name)
        return activated(call, Value(name, shape, (0, 1)))
    if value.rank in SPACE and value.order == channels_first(value.rank):
        ones = (1,) * (value.rank - 2)
        weight = call.writer.weight(kernel, (*kernel.shape[::-1], *ones), f"i o -> o i {SPACE[value.rank]}")
        name = call.writer.op("Conv", value.name, weight, *bias_of(call))
        return activated(call, Value(name, shape, value.order))
    if value.order[-1] != value.rank - 1:
        value = as_keras(call.writer, value)
    name = call.writer.op("MatMul", value.name, call.writer.weight(kernel, kernel.shape))
    for bias in bias_of(call):
        name = call.writer.op("Add", name, bias)
    return activated(call, Value(name, shape, value.order, mask=value.mask))


def _product(call: Call, value: str) -> str:
    kernel, bias = call.tensor("kernel"), bias_of(call)
    weight = call.writer.weight(kernel, kernel.shape)
    return call.writer.op("Gemm", value, weight, *bias) if bias else call.writer.op("MatMul", value, weight)


def _einsum(call: Call) -> Value:
    """A product by places of the value's own axes is a Mul; all else an Einsum."""
    kernel, equation = call.tensor("kernel"), str(call.settings["equation"]).replace(" ", "")
    axes = _own_axes(equation)
    if axes and not bias_of(call):
        value = as_floats(call.writer, call.first)
        name = call.writer.op("Mul", value.name, along(call.writer, kernel, value, axes))
        return activated(call, value.named(name, mask=None))
    value = as_keras(call.writer, as_floats(call.writer, call.first))
    weight = call.writer.weight(kernel, kernel.shape)
    name = call.writer.op("Einsum", value.name, weight, equation=equation)
    for bias in bias_of(call):
        name = call.writer.op("Add", name, bias)
    shape = call.known_shape()
    return activated(call, Value(name, shape, straight(len(shape))))


def _own_axes(equation: str) -> list[int]:
    """abcd,d->abcd -> 3: the axes that the weight has, where nothing is summed or added; else none."""
    fed, _, rest = equation.partition(",")
    weight, _, made = rest.partition("->")
    is_own = fed == made and "." not in equation and len(set(fed)) == len(fed)
    is_part = bool(weight) and len(set(weight)) == len(weight) and set(weight) <= set(fed[1:])
    return [fed.index(letter) for letter in weight] if is_own and is_part else []


def _embedding(call: Call) -> Value:
    ids, table = as_keras(call.writer, call.first), call.tensor("embeddings")
    if ids.dtype not in ("int32", "int64"):  # what Gather takes
        ids = cast(call.writer, ids, "int32")
    weight = call.writer.weight(table, table.shape)
    shape = (*ids.shape, table.shape[-1])
    mask = _not_zero(call, ids) if call.settings.get("mask_zero") else None
    name = call.writer.op("Gather", weight, ids.name, axis=0)
    return Value(name, shape, straight(len(shape)), mask=mask)


def _not_zero(call: Call, ids: Value) -> Value:
    equal = with_number(call.writer, "Equal", ids, 0, "padding")
    return ids.named(call.writer.op("Not", equal.name), dtype="bool")


BUILDERS: Mapping[str, Builder] = {"Dense": _dense, "EinsumDense": _einsum, "Embedding": _embedding}
