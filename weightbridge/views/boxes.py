"""The boxes of a picture: a layer with the light layers that follow it, or a summary of many layers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weightbridge.model.vocabulary import NORMS, PASSING
from weightbridge.views.forward import Edge, positions
from weightbridge.views.labels import Family, described, family, shape

Json = Mapping[str, Any]
STACKED = NORMS | PASSING | {"Activation"}
LAYERS, BOXES = 1500, 400  # of a picture; what has more is summarised


@dataclass(frozen=True, slots=True)
class Strip:
    """One line of a box."""

    name: str
    detail: str
    family: Family


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes and the edges between them, by index; no edge leads from a box to itself, none comes twice.

    members: the layers' names in each box.
    """

    boxes: tuple[tuple[Strip, ...], ...]
    edges: tuple[Edge, ...]
    members: tuple[tuple[str, ...], ...]


def picture(graph: Json) -> Picture:
    """A box for each layer of a graph that can be looked at, else for each run of layers.

    Edges go forward: cycles lose their last edge.
    """
    layers: Sequence[Json] = graph["layers"]
    known = _known_edges(graph)
    position = positions(len(layers), known)
    edges = [(a, b) for a, b in known if position[a] < position[b]]
    is_large = len(layers) > LAYERS
    first_of = _runs(position) if is_large else _stacks(layers, edges, position)
    boxes = _boxes(first_of, position)
    strips = _summary if is_large else _strips
    return Picture(
        boxes=tuple(strips([layers[i] for i in box]) for box in boxes),
        edges=_between_boxes(boxes, first_of, edges),
        members=tuple(tuple(layers[i]["name"] for i in box) for box in boxes),
    )


def _known_edges(graph: Json) -> list[Edge]:
    """The edges between layers, by their places in the file."""
    place = {layer["name"]: i for i, layer in enumerate(graph["layers"])}
    named = ((a, b) for a, b, _ in graph["edges"] if a in place and b in place and a != b)
    return sorted({(place[a], place[b]) for a, b in named})


def _stacks(layers: Sequence[Json], edges: Sequence[Edge], position: Sequence[int]) -> list[int]:
    """The first layer of each layer's box: a light layer joins its parent where they have no one else."""
    outgoing = Counter(a for a, _ in edges)
    incoming = Counter(b for _, b in edges)
    first_of = list(range(len(layers)))
    for a, b in sorted(edges, key=lambda edge: position[edge[0]]):
        above, below = layers[a]["op"], layers[b]["op"]
        is_light = above != "Input" and (below in STACKED or above == "Pad")
        if is_light and outgoing[a] == 1 and incoming[b] == 1:
            first_of[b] = first_of[a]
    return first_of


def _runs(position: Sequence[int]) -> list[int]:
    """The first layer of each layer's run: runs of equal length, in an order in which edges go forward."""
    sequence = sorted(range(len(position)), key=position.__getitem__)
    length = -(-len(position) // BOXES)
    return [sequence[place // length * length] for place in position]


def _boxes(first_of: Sequence[int], position: Sequence[int]) -> list[list[int]]:
    """The layers of each box, in order."""
    inside: dict[int, list[int]] = {}
    for i in sorted(range(len(position)), key=position.__getitem__):
        inside.setdefault(first_of[i], []).append(i)
    return list(inside.values())


def _between_boxes(
    boxes: Sequence[Sequence[int]], first_of: Sequence[int], edges: Sequence[Edge]
) -> tuple[Edge, ...]:
    box_of = {layer: number for number, box in enumerate(boxes) for layer in box}
    leaving = {(box_of[a], box_of[b]) for a, b in edges if first_of[a] != first_of[b]}
    return tuple(sorted(leaving))


def _strips(layers: Sequence[Json]) -> tuple[Strip, ...]:
    return tuple(_strip(layer) for layer in layers)


def _strip(layer: Json) -> Strip:
    details = (described(layer), shape(layer))
    return Strip(layer["name"], " ".join(detail for detail in details if detail), family(layer["op"]))


def _summary(layers: Sequence[Json]) -> tuple[Strip, ...]:
    counts = Counter(layer["op"] for layer in layers).most_common(3)
    detail = ", ".join(f"{number} {op}" for op, number in counts)
    first, last = layers[0]["name"], layers[-1]["name"]
    name = first if len(layers) == 1 else f"{first} ... {last}"
    most_frequent, _ = counts[0]
    return (Strip(name, f"{len(layers)} layers: {detail}", family(most_frequent)),)
