"""How Keras holds what a recurrent layer gives."""

from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.layout import Group, Layout, Length, with_source


def layout_of(
    call: Call, axes: tuple[int, int], units: int, steps: Length, *, is_state: bool = False
) -> Layout:
    """How Keras holds an output: (batch, time, directions x units), without time for a state."""
    is_double = call.settings.get("direction") == "bidirectional" and "merge_mode" not in call.settings
    lengths: list[Length] = [None]
    batch: Group = (0,)
    time = _atom(lengths, 1 if is_state else steps)
    direction = _atom(lengths, 2 if is_double else 1)
    width = _atom(lengths, units)
    has_time = not is_state and steps != 1
    keras = (batch, time, (*direction, *width)) if has_time else (batch, (*direction, *width))
    inner, last = _apart(call, direction, width)
    outer = [*inner, batch] if is_state else [time, *inner, batch]
    if axes[0] == 0:
        outer = [batch, *inner] if is_state else [batch, time, *inner]
    source = [*outer, last]
    return with_source(Layout(tuple(lengths), tuple(source), keras), source)


def _apart(call: Call, direction: Group, width: Group) -> tuple[tuple[Group, ...], Group]:
    """The source's axis of directions, where it has one, and its last one."""
    return ((direction,), width) if has_direction(call) else ((), (*direction, *width))


def _atom(lengths: list[Length], length: Length) -> Group:
    if length == 1:
        return ()
    lengths.append(length)
    return (len(lengths) - 1,)


def has_direction(call: Call) -> bool:
    """Whether the source's outputs have an axis for directions, as ONNX's own nodes do."""
    return call.settings.get("weights") in ("onnx", "torch")
