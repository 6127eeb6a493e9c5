"""Sliding windows: what `same` adds before and behind each spatial axis."""

from collections.abc import Sequence

Pairs = tuple[tuple[int, int], ...]


def same_pairs(
    spans: Sequence[int], strides: Sequence[int], sizes: Sequence[int | None] | None
) -> Pairs | None:
    """As TensorFlow pads, the odd one behind; None where a length that counts is not known.

    spans: dilation x (kernel - 1) of each axis.
    """
    found = []
    for i, (span, stride) in enumerate(zip(spans, strides, strict=True)):
        size = sizes[i] if sizes is not None and i < len(sizes) else None
        if stride == 1:
            total = span
        elif size is None:
            return None
        else:
            total = max((-(-size // stride) - 1) * stride + span + 1 - size, 0)
        found.append((total // 2, total - total // 2))
    return tuple(found)
