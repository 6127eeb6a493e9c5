"""Borders: which of Keras's paddings a pair of numbers is, and layers that put borders around or cut them."""

from collections.abc import Sequence
from typing import Any

from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.layout import plain
from weightbridge.converting.from_graph.source.constants import LARGEST
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported

Pairs = tuple[tuple[int, int], ...]
Lengths = Sequence[int | None]


def as_same(
    padding: Any, lengths: Lengths, size: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> str | None:
    """`valid`, `same` or `causal`, where Keras's own padding is these numbers; None where none is."""
    if isinstance(padding, str):
        if padding in ("same", "valid"):
            return padding
        raise Unsupported(f"has the padding {padding}, which does not follow from the file")
    if not any(any(pair) for pair in padding):
        return "valid"
    spans = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    if len(padding) == 1 and padding[0] == (spans[0] - 1, 0) and strides[0] == 1:
        return "causal"
    wanted = [_same(n, s, span) for n, s, span in zip(lengths, strides, spans, strict=True)]
    return "same" if list(padding) == wanted else None


def _same(length: int | None, stride: int, span: int) -> tuple[int, int] | None:
    """What TensorFlow's `same` puts before and after an axis."""
    if stride == 1:
        total = span - 1
    elif length is None:
        return None
    else:
        total = max((-(-length // stride) - 1) * stride + span - length, 0)
    return total // 2, total - total // 2


def slid(
    lengths: Lengths, padding: str, size: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> list[int | None]:
    """The lengths that are left of axes along which a window slides."""
    spans = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    return [_slid(n, padding, s, span) for n, s, span in zip(lengths, strides, spans, strict=True)]


def _slid(length: int | None, padding: str, stride: int, span: int) -> int | None:
    if length is None:
        return None
    return -(-length // stride) if padding != "valid" else (length - span) // stride + 1


def padded(
    call: Call, value: Value, axes: Sequence[int], pairs: Pairs, name: str, *, lowest: bool = False
) -> Value:
    """Zeros, or the lowest number, around all axes of a value but its first and its last one.

    axes: the source's, in the order in which Keras has them.
    """
    lengths = value.layout.shape
    grown = [n if n is None else n + sum(pair) for n, pair in zip(lengths[1:-1], pairs, strict=True)]
    shape = list(value.layout.source_shape)
    for axis, length in zip(axes[1:-1], grown, strict=True):
        shape[axis] = length
    rank = len(pairs)
    if lowest:
        config = {"pad_width": [[0, 0], *(list(pair) for pair in pairs), [0, 0]], "mode": "constant"}
        made = call.writer.operation("numpy.Pad", name, config, [value])
        call.writer.with_arguments(made, {"constant_values": -LARGEST})
    else:
        made = call.writer.layer(f"ZeroPadding{rank}D", name, {"padding": amounts(pairs)}, value)
    return value.after(made).seen(plain(shape, axes))


def amounts(pairs: Pairs) -> Any:
    """As Keras writes them: one pair for one axis, a list of pairs for several."""
    return list(pairs[0]) if len(pairs) == 1 else [list(pair) for pair in pairs]
