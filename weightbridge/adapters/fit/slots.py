"""Which layers write a cut: every one with the channels that are its own, and the sums it is part of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from weightbridge.adapters.fit.cuts import LINEAR, Cut, before_activation, own_norm
from weightbridge.formats.flow import Node


@dataclass(frozen=True, slots=True)
class Slot:
    """Channels of a cut, from `start`, and the layer that writes them; None where they only pass through.

    is_activated: an activation stands between. sums: (node, place among its inputs) of the sums between.
    """

    layer: int | None
    start: int
    width: int
    is_activated: bool = False
    sums: tuple[tuple[int, int], ...] = ()


def slots(nodes: Sequence[Node], cut: Cut, after: int) -> tuple[Slot, ...]:
    """after: the cut before, whose value only passes through."""
    start = Slot(None, 0, cut.shape[-1], cut.is_activated)
    return tuple(_below(nodes, cut.before, start, after))


def _below(nodes: Sequence[Node], i: int, slot: Slot, after: int) -> Iterator[Slot]:
    node = nodes[i]
    if i <= after:
        yield slot
    elif node.kind in LINEAR:
        yield replace(slot, layer=i)
    elif node.kind == "add":
        for place, below in enumerate(node.inputs):
            yield from _below(nodes, below, replace(slot, sums=(*slot.sums, (i, place))), after)
    elif node.kind == "concat" and not slot.sums:
        yield from _beside(nodes, i, slot, after)
    else:
        yield from _through(nodes, i, slot, after)


def _through(nodes: Sequence[Node], i: int, slot: Slot, after: int) -> Iterator[Slot]:
    """What passes channels on, each by itself."""
    node = nodes[i]
    if node.kind in ("pass", "scale") or own_norm(nodes, i):
        yield from _below(nodes, node.inputs[0], slot, after)
    elif node.kind == "elementwise" and not slot.sums and before_activation(nodes, i) != i:
        yield from _below(nodes, before_activation(nodes, i), replace(slot, is_activated=True), after)
    else:
        yield slot


def _beside(nodes: Sequence[Node], i: int, slot: Slot, after: int) -> Iterator[Slot]:
    start = slot.start
    for below in nodes[i].inputs:
        width = nodes[below].shape[-1]
        yield from _below(nodes, below, replace(slot, start=start, width=width), after)
        start += width
