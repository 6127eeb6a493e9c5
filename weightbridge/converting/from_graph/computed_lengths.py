"""Lengths that a Reshape computes from shapes: which axes of what it is fed they are, where that is known."""

from collections.abc import Sequence
from math import prod

from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.layout import Group, Groups, Layout


def is_as_told(call: Call, seen: Layout) -> bool:
    """Whether a reading of the shape has each computed length where the value has it."""
    told = call.settings.get("as_long_as") or ()
    if len(told) != seen.rank:
        return True
    layout = call.first.layout
    for place, axes in enumerate(told):
        if axes and not any(_is_same(layout, axis, seen, place) for axis in axes):
            return False
    return _has_batch_in_place(call, seen)


def keeps_batch(call: Call) -> bool:
    """Whether the first length that is asked for may be the batch's."""
    axes, is_batch = call.settings.get("as_long_as") or (), _is_batch(call)
    if axes and axes[0]:
        return 0 in axes[0]
    return not is_batch or is_batch[0] is not False


def _has_batch_in_place(call: Call, seen: Layout) -> bool:
    """Whether the length of the batch is that of its axis, and no other open one is."""
    for group, is_batch in zip(seen.source, _is_batch(call), strict=False):
        if is_batch is not None and (seen.batch in group) != is_batch:
            return False
    return True


def _is_batch(call: Call) -> Sequence[bool | None]:
    """Of each length whether it is the batch's; () where the batch is not what first axes are told to be."""
    inputs = (call.source.by_name[name].settings for name in call.source.inputs)
    is_first = all(settings.get("batch", 0) is None for settings in inputs)
    return call.settings.get("is_first_length") or () if is_first else ()


def _is_same(layout: Layout, axis: int, seen: Layout, place: int) -> bool:
    """Whether two axes are the same atoms: as many in front of them, and in them."""
    ours, theirs = layout.source, seen.source
    return _count(layout, ours[:axis]) == _count(seen, theirs[:place]) and _count(
        layout, ours[axis : axis + 1]
    ) == _count(seen, theirs[place : place + 1])


def _count(layout: Layout, groups: Groups) -> tuple[int, int]:
    """How many atoms of unknown length, and how many numbers the others are together."""
    atoms: Group = tuple(atom for group in groups for atom in group)
    lengths = [layout.lengths[atom] for atom in atoms]
    return lengths.count(None), prod(n for n in lengths if n is not None)
