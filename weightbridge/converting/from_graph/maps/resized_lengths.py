"""The lengths of a map after resizing, and by how much each axis grows."""

from collections.abc import Sequence

from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.layout import Length
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported


def sizes_of(call: Call, value: Value) -> list[Length]:
    """The lengths of the source's axes after resizing."""
    before, shape = value.layout.source_shape, call.layer.output_shape
    told = _told_sizes(call, before)
    if told is not None:
        return told
    if shape is not None and len(shape) == len(before) - 1:
        return [before[0], *shape]
    return [_grown(*one) for one in zip(before, _told_scales(call, len(before)), strict=True)]


def _told_sizes(call: Call, before: Sequence[Length]) -> list[Length] | None:
    """The lengths that the layer states: of some axes, or of all."""
    told, axes = call.settings.get("sizes"), call.settings.get("axes")
    if not isinstance(told, tuple):
        return None
    if isinstance(axes, tuple):
        return _with_sizes(before, axes, told)
    return _whole(call, before, told) if len(told) == len(before) else None


def _whole(call: Call, before: Sequence[Length], told: Sequence[Length]) -> list[Length]:
    """All axes; a number for the batch is the one that the model declares."""
    if None not in (told[0], *(call.batch or (None,))) and told[0] != call.batch[0]:
        raise Unsupported(f"says {told[0]} for its first axis, which is not the batch")
    if told[0] is not None and call.batch == (None,):
        raise Unsupported(f"says {told[0]} for its first axis, where the batch may be of any length")
    rest = [a if b is None else b for a, b in zip(before[1:], told[1:], strict=True)]
    return [before[0], *rest]


def _with_sizes(before: Sequence[Length], axes: Sequence[int], sizes: Sequence[Length]) -> list[Length]:
    """The lengths where only those of these axes are said."""
    new = {axis % len(before): size for axis, size in zip(axes, sizes, strict=False)}
    return [new.get(n, length) for n, length in enumerate(before)]


def _grown(length: Length, scale: float | None) -> Length:
    return None if length is None or scale is None else int(length * scale)


def scales_of(call: Call, value: Value, after: Sequence[Length]) -> list[float | None]:
    """By how much each axis grows; None where it is not known."""
    told, before = _told_scales(call, value.layout.rank), value.layout.source_shape
    return [_scale(*one) for one in zip(told, before, after, strict=True)]


def _scale(told: float | None, before: Length, after: Length) -> float | None:
    if told is not None or before == after:
        return 1.0 if told is None else told
    return None if before is None or after is None else after / before


def _told_scales(call: Call, rank: int) -> list[float | None]:
    told = call.settings.get("scales")
    if not isinstance(told, tuple) or not told:
        scale = call.settings.get("scale")
        told = (1.0, 1.0, *scale) if isinstance(scale, tuple) else ()
    return [float(s) for s in told] if len(told) == rank else [None] * rank
