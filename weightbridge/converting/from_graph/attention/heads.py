"""Both products of an attention, by the axes that they join: batch, heads, steps and a head's channels."""

from collections.abc import Mapping

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.converting.from_graph.attention.trace import NO_ATTENTION, Followed
from weightbridge.converting.from_graph.layout import Group, Groups, Layout, with_source
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Array

Labels = tuple[tuple[str, ...], ...]  # what each axis before the matrices is made of


@dataclass(frozen=True, slots=True)
class Heads:
    """One operand. channels: their numbers in the projection, by head and by place in it."""

    followed: Followed
    channels: Array
    leading: Labels

    @property
    def count(self) -> int:
        return int(self.channels.shape[0])

    @property
    def size(self) -> int:
        return int(self.channels.shape[1])


def heads_of(at: Followed, *, is_transposed: bool) -> Heads:
    """is_transposed: the channels of a head are the last axis but one. Raises Unsupported."""
    layout = at.layout
    if layout.rank < 3 or len(layout.keras) != 3:
        raise Unsupported(NO_ATTENTION)
    inner, steps = layout.source[-1], layout.source[-2]
    if is_transposed:
        inner, steps = steps, inner
    batch, held, channels = layout.keras
    if len(inner) != 1 or inner[0] not in channels or steps != held:
        raise Unsupported(NO_ATTENTION)
    place = channels.index(inner[0])
    rest = tuple(atom for atom in channels if atom != inner[0])
    leading = _labels(layout.source[:-2], {"batch": batch, "heads": rest})
    size = layout.lengths[inner[0]] or 1
    return Heads(at, np.moveaxis(at.channels, place, -1).reshape(-1, size), leading)


def _labels(groups: Groups, known: Mapping[str, Group]) -> Labels:
    """(n h) -> ("batch", "heads"). Raises Unsupported where it is neither, or cut further."""
    found = tuple(_names(group, known) for group in groups)
    wanted = sorted(name for name, atoms in known.items() if atoms)
    if sorted(name for names in found for name in names) != wanted:
        raise Unsupported(NO_ATTENTION)
    return found


def _names(group: Group, known: Mapping[str, Group]) -> tuple[str, ...]:
    names: list[str] = []
    while group:
        fitting = [name for name, atoms in known.items() if atoms and group[: len(atoms)] == atoms]
        if not fitting:
            raise Unsupported(NO_ATTENTION)
        names.append(fitting[0])
        group = group[len(known[fitting[0]]) :]
    return tuple(names)


def scores(left: Heads, right: Heads) -> Layout:
    """The first product: Keras's axes are the batch, the heads and the steps of both."""
    if left.leading != right.leading or left.channels.shape != right.channels.shape:
        raise Unsupported(NO_ATTENTION)
    return _joined(left, (_steps(left), _steps(right)))


def _steps(heads: Heads) -> tuple[int | None, ...]:
    layout = heads.followed.layout
    return tuple(layout.lengths[atom] for atom in layout.keras[1])


def _joined(heads: Heads, behind: tuple[tuple[int | None, ...], ...]) -> Layout:
    """Axes before the matrices as they are, then these; each in Keras by itself: batch, heads, these."""
    lengths: list[int | None] = []
    source: list[Group] = []
    places: dict[str, Group] = {"batch": (), "heads": ()}
    for names in heads.leading:
        group: list[int] = []
        for name in names:
            places[name] = (len(lengths),)
            group.append(len(lengths))
            lengths.append(None if name == "batch" else heads.count)
        source.append(tuple(group))
    last = []
    for sizes in behind:
        group = list(range(len(lengths), len(lengths) + len(sizes)))
        lengths += sizes
        last.append(tuple(group))
    keras = (places["batch"], places["heads"], *last)
    return with_source(Layout(tuple(lengths), (*source, *last), keras), (*source, *last))


def query_is_left(layout: Layout) -> bool:
    """Whether the rows of what the softmax gets are the left operand's steps. Raises Unsupported."""
    if len(layout.keras) != 4 or layout.rank < 3:
        raise Unsupported(NO_ATTENTION)
    _, _, left, right = layout.keras
    if layout.source[-2:] == (left, right):
        return True
    if layout.source[-2:] == (right, left):
        return False
    raise Unsupported(NO_ATTENTION)


def weighted(weights: Layout, value: Heads, *, is_left: bool) -> Layout:
    """The second product: Keras's axes are the batch, the steps, and all heads' channels."""
    batch, heads, *steps = weights.keras
    rows, columns = (steps[0], steps[1]) if is_left else (steps[1], steps[0])
    if weights.source[-2:] != (rows, columns):
        raise Unsupported(NO_ATTENTION)
    leading = _labels(weights.source[:-2], {"batch": batch, "heads": heads})
    if leading != value.leading:
        raise Unsupported(NO_ATTENTION)
    sizes = tuple(weights.lengths[atom] for atom in rows)
    layout = _joined(value, (sizes, (value.size,)))
    first, count, held, channels = layout.keras
    return Layout(layout.lengths, layout.source, (first, held, (*count, *channels)))
