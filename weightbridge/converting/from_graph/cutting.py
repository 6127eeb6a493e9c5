"""The source cuts the axes of a value anew: a Reshape as another view of its atoms, where it is one."""

from collections.abc import Sequence
from math import prod

from weightbridge.converting.from_graph.layout import Group, Layout, Length, split, with_source


def reshaped(layout: Layout, target: Sequence[Length], batch: Length = None) -> Layout | None:
    """The source cuts its axes anew, as a shape says (None for a length that follows from the rest).

    -n is n times a length that is not known. batch: how long the batch is in this shape, None where no number
    of it is. None where an axis would begin inside an atom.
    """
    start, groups = 0, list[Group]()
    for place, size in enumerate(target):
        if size is None:
            taken = _open(layout, start, target[place + 1 :])
        elif size < 0:
            taken = _multiple(layout, start, -size)
        else:
            taken = _taken(layout, start, size, batch)
        if taken is None:
            return None
        layout, stop = taken
        groups.append(tuple(range(start, stop)))
        start = stop
    return with_source(layout, groups) if start == len(layout.lengths) else None


def behind(layout: Layout, kept: int, target: Sequence[Length], batch: Length) -> Layout | None:
    """`reshaped` of the axes behind those that stay as they are."""
    if not kept:
        return reshaped(layout, target, batch)
    first = sum(len(group) for group in layout.source[:kept])
    part = Layout(
        layout.lengths[first:],
        tuple(_less(group, first) for group in layout.source[kept:]),
        tuple(_less(group, first) for group in layout.keras),  # those before have numbers below 0
    )
    cut = reshaped(part, target, batch)
    if cut is None:
        return None
    source = (*layout.source[:kept], *(_less(group, -first) for group in cut.source))
    keras = tuple(_less(group, -first) for group in cut.keras)
    return Layout((*layout.lengths[:first], *cut.lengths), source, keras)


def _less(group: Group, number: int) -> Group:
    return tuple(atom - number for atom in group)


def guessed_batch(layout: Layout, target: Sequence[Length]) -> int:
    """How long the batch is in a shape that was written down for one length of it."""
    others = [n for atom, n in enumerate(layout.lengths) if atom != layout.batch]
    sizes = [n for n in target if n is not None and n > 0]
    if None not in others and len(sizes) == len(target):
        return max(prod(sizes) // max(prod(n for n in others if n is not None), 1), 1)
    return sizes[0] if sizes and target[0] == sizes[0] and layout.batch == 0 else 1


def _taken(layout: Layout, start: int, size: int, batch: Length) -> tuple[Layout, int] | None:
    """The layout, cut where needed, and the end of the atoms from `start` on that make an axis of a size."""
    atom, left = start, size
    while atom < len(layout.lengths):
        length = batch if atom == layout.batch else layout.lengths[atom]
        is_lone_batch = length == 1 and atom == start  # an axis never ends with a batch of one
        if left == 1 and not is_lone_batch:
            break
        cut = _cut_to(layout, atom, length, left)
        if cut is None:
            return None
        layout, length = cut
        left //= length
        atom += 1
    return (layout, atom) if left == 1 else None


def _cut_to(layout: Layout, atom: int, length: Length, left: int) -> tuple[Layout, int] | None:
    """An atom that is part of what is left of a size, as it is or its first half."""
    if length is None:
        return None
    if left % length == 0:
        return layout, length
    if length % left or atom == layout.batch:
        return None
    return split(layout, atom, left), left


def _open(layout: Layout, start: int, rest: Sequence[Length]) -> tuple[Layout, int] | None:
    """An axis whose size is not told: up to the atoms that the sizes behind it ask for.

    Of several such axes in a row each but the last is one atom whose length is not known.
    """
    if any(size is None or size < 0 for size in rest):
        is_unknown = start < len(layout.lengths) and layout.lengths[start] is None
        return (layout, start + 1) if is_unknown else None
    found = _before(layout, prod(size for size in rest if size is not None))
    return found if found is not None and found[1] >= start else None


def _before(layout: Layout, size: int) -> tuple[Layout, int] | None:
    """The layout, cut where needed, and where the last atoms begin that are so many numbers together."""
    stop, left = len(layout.lengths), size
    while left > 1 and stop > 0:
        length = layout.lengths[stop - 1]
        if length is None or (left % length and length % left):
            return None
        if left % length:
            return split(layout, stop - 1, length // left), stop
        left //= length
        stop -= 1
    return (layout, stop) if left == 1 else None


def _multiple(layout: Layout, start: int, factor: int) -> tuple[Layout, int] | None:
    """An axis that is so many times a length that is not known."""
    atom, left, is_unknown = start, factor, False
    while atom < len(layout.lengths) and not (is_unknown and left == 1):
        length = layout.lengths[atom]
        cut = (layout, 1) if length is None else _cut_to(layout, atom, length, left)
        if cut is None:
            return None
        layout, taken = cut
        left //= taken
        is_unknown = is_unknown or length is None
        atom += 1
    return (layout, atom) if is_unknown and left == 1 else None
