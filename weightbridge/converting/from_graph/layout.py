"""How Keras holds a value: which axes of the source each of its own axes is.

A Transpose, Squeeze, Flatten or Reshape of the source changes what the source sees, and no array: the layers
that need another order of Keras's axes bring it about (arrange).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

Length = int | None
Group = tuple[int, ...]  # the atoms that one axis is made of, the slowest first
Groups = tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A value as atoms: pieces of axes that nothing cuts further. An axis of length one has none.

    lengths: of the atoms, in the source's order; None where it is not known.
    source: the atoms of each of the source's axes; together 0, 1, 2, ...
    keras: the atoms of each of Keras's axes; the batch is its first one.
    """

    lengths: tuple[Length, ...]
    source: Groups
    keras: Groups

    @property
    def rank(self) -> int:
        """The number of the source's axes."""
        return len(self.source)

    @property
    def shape(self) -> tuple[Length, ...]:
        """Keras's shape, with the batch."""
        return tuple(self.length(group) for group in self.keras)

    @property
    def source_shape(self) -> tuple[Length, ...]:
        return tuple(self.length(group) for group in self.source)

    @property
    def batch(self) -> int:
        """The atom of Keras's batch axis."""
        return self.keras[0][0]

    def length(self, group: Iterable[int]) -> Length:
        known = [self.lengths[atom] for atom in group]
        return None if None in known else prod(n for n in known if n is not None)

    def axis(self, axis: int) -> int:
        """One of the source's axes, counted from 0."""
        return axis % self.rank if self.rank else 0

    def place(self, axis: int) -> int | None:
        """Which of Keras's axes one of the source's is, in whatever order of its atoms; None for none."""
        wanted = sorted(self.source[self.axis(axis)])
        places = [n for n, group in enumerate(self.keras) if sorted(group) == wanted]
        return places[0] if wanted and len(places) == 1 else None

    @property
    def order(self) -> tuple[int, ...] | None:
        """Which of the source's axes each of Keras's is, where axes of length one stand as they must."""
        if len(self.keras) != self.rank:
            return None
        ones = [axis for axis, group in enumerate(self.source) if not group]
        found = []
        for group in self.keras:
            axis = self.source.index(group) if group in self.source else None
            if not group:
                axis = ones.pop(0)
            if axis is None:
                return None
            found.append(axis)
        return tuple(found)


def plain(shape: Sequence[Length], order: Sequence[int] | None = None) -> Layout:
    """A value with this shape in the source, which Keras has in this order; the batch may have any length."""
    axes = tuple(range(len(shape)) if order is None else order)
    sizes = {axis: None if axis == axes[0] else length for axis, length in enumerate(shape)}
    long = [axis for axis, length in sizes.items() if length != 1]
    atoms = {axis: (n,) for n, axis in enumerate(long)}
    source = tuple(atoms.get(axis, ()) for axis in sizes)
    return Layout(tuple(sizes[axis] for axis in long), source, tuple(source[axis] for axis in axes))


def transposed(layout: Layout, order: Sequence[int]) -> Layout:
    """The source turns its axes."""
    return _numbered(layout, tuple(layout.source[axis] for axis in order))


def with_source(layout: Layout, source: Sequence[Group]) -> Layout:
    """The same atoms, cut into other axes of the source."""
    return _numbered(layout, tuple(source))


def _numbered(layout: Layout, source: Groups) -> Layout:
    """The atoms counted anew, as they stand in the source."""
    atoms = [atom for group in source for atom in group]
    number = {atom: n for n, atom in enumerate(atoms)}

    def renamed(groups: Groups) -> Groups:
        return tuple(tuple(number.get(atom, atom) for atom in group) for group in groups)

    return Layout(tuple(layout.lengths[atom] for atom in atoms), renamed(source), renamed(layout.keras))


def split(layout: Layout, atom: int, first: int) -> Layout:
    """One atom as two, the slower one of this length."""
    length = layout.lengths[atom]
    second = None if length is None else length // first

    def cut(groups: Groups) -> Groups:
        return tuple(tuple(n for one in group for n in _halves(one, atom)) for group in groups)

    lengths = (*layout.lengths[:atom], first, second, *layout.lengths[atom + 1 :])
    return Layout(lengths, cut(layout.source), cut(layout.keras))


def _halves(one: int, atom: int) -> Group:
    if one == atom:
        return (atom, atom + 1)
    return (one + 1,) if one > atom else (one,)


def reshaped(layout: Layout, target: Sequence[Length], *, is_written: bool) -> Layout | None:
    """The source cuts its axes anew, as a shape says (None for a length that follows from the rest).

    -n is n times a length that is not known. is_written: whether the shape stands in the file, for one length
    of the batch. None where an axis would begin inside an atom.
    """
    batch = _length_of_batch(layout, target) if is_written else None
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


def behind(layout: Layout, kept: int, target: Sequence[Length], *, is_written: bool) -> Layout | None:
    """`reshaped` of the axes behind those that stay as they are."""
    if not kept:
        return reshaped(layout, target, is_written=is_written)
    first = sum(len(group) for group in layout.source[:kept])
    part = Layout(
        layout.lengths[first:],
        tuple(_less(group, first) for group in layout.source[kept:]),
        tuple(_less(group, first) for group in layout.keras),  # those before have numbers below 0
    )
    cut = reshaped(part, target, is_written=is_written)
    if cut is None:
        return None
    source = (*layout.source[:kept], *(_less(group, -first) for group in cut.source))
    keras = tuple(_less(group, -first) for group in cut.keras)
    return Layout((*layout.lengths[:first], *cut.lengths), source, keras)


def _less(group: Group, number: int) -> Group:
    return tuple(atom - number for atom in group)


def _length_of_batch(layout: Layout, target: Sequence[Length]) -> int:
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
