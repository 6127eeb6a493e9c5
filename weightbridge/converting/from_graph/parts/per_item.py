"""What is the same for each item of a batch and is computed with: learned queries, zeros to begin with."""

from collections.abc import Mapping, Sequence

import numpy as np

from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layout import transposed, with_source
from weightbridge.converting.from_graph.parts.looked_up import embedded, item_numbers
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Array, Tensor

SAID = "a weight that each item of a batch begins with is an Embedding, which Keras trains"


def _per_item(call: Call) -> Value:
    shape: Sequence[int] = call.settings.get("whole_shape") or ()
    batches = [axis for axis, length in enumerate(shape) if length < 0]
    if len(batches) != 1 or 0 in shape:
        raise Unsupported("repeats a constant to a shape that does not follow from the file")
    value = _of_item(call, shape, batches[0])
    order = list(range(1, value.layout.rank))
    order.insert(batches[0], 0)
    return value.seen(transposed(value.layout, order))


def _of_item(call: Call, shape: Sequence[int], batch: int) -> Value:
    more, rest = -shape[batch], tuple(length for length in shape if length >= 0)
    tensor = call.tensor("value")
    if tensor is None:
        return _of_numbers(call, rest, batch, more)
    if more > 1:
        raise Unsupported(f"repeats the weight {tensor.name} {more} times for each item")
    return _of_tensor(call, tensor, rest)


def _of_tensor(call: Call, tensor: Tensor, rest: tuple[int, ...]) -> Value:
    call.writer.rewrote(SAID, tensor.name)
    counts = (1,) * (len(rest) - len(tensor.shape)) + tensor.shape[:-1]
    count = max(counts, default=1)
    rows = [length for length in rest[:-1] if length > 1]
    if rest[-1:] != tensor.shape[-1:] or rows not in ([], [count]):
        raise Unsupported(f"repeats the weight {tensor.name} of shape {tensor.shape} to {rest}")
    return embedded(call, tensor, np.arange(count).reshape(rest[:-1]), is_turned=False)


def _of_numbers(call: Call, rest: tuple[int, ...], batch: int, more: int) -> Value:
    """more: how many of them there are for each item, which stand with the batch in one axis."""
    numbers = _spread(np.asarray(call.settings.get("value")), (*rest[:batch], 1, *rest[batch:]), batch)
    if more == 1:
        return item_numbers(call, numbers, call.name, "float32")
    value = item_numbers(call, np.stack([numbers] * more), call.name, "float32")
    source = value.layout.source
    return value.seen(with_source(value.layout, (source[0] + source[1], *source[2:])))


def _spread(numbers: Array, shape: tuple[int, ...], batch: int) -> Array:
    """The numbers of one item."""
    if numbers.dtype == object:
        raise Unsupported("repeats a constant that does not follow from the file")
    return np.broadcast_to(numbers.astype(np.float32), shape).squeeze(batch)


CLASSES: Mapping[str, Builder] = {"PerItem": _per_item}
