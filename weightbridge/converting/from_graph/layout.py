"""How Keras holds a value: which axes of the source each of its own axes is.

A Transpose, Squeeze, Flatten or Reshape of the source changes what the source sees, and no array: the layers
that need another order of Keras's axes bring it about (arrange).
"""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors import Unsupported

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
        """One of the source's axes, counted from 0. Raises Unsupported where it has no such axis."""
        return axis_of(axis, self.rank)

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
        found = [_axis_of(group, self.source, ones) for group in self.keras]
        known = tuple(axis for axis in found if axis is not None)
        return known if len(known) == len(found) else None


def _axis_of(group: Group, source: Groups, ones: list[int]) -> int | None:
    """The source's axis of these atoms; of none the next one of length one, which is taken then."""
    if not group:
        return ones.pop(0) if ones else None
    return source.index(group) if group in source else None


def axis_of(told: Any, rank: int) -> int:
    """An axis counted from 0, of so many. Raises Unsupported where there is no such axis."""
    axis = int(told)
    if not -rank <= axis < rank:
        raise Unsupported(f"names the axis {axis} of a value of {rank} axes")
    return axis % rank


def times(length: Length, many: int) -> Length:
    return None if length is None else length * many


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


def with_ones_in_front(layout: Layout, rank: int) -> Layout:
    """Axes of length one before all others, up to so many axes."""
    missing = max(rank - layout.rank, 0)
    return with_source(layout, (*(() for _ in range(missing)), *layout.source)) if missing else layout


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
