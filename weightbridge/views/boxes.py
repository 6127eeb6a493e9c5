"""The boxes of a picture: each a layer with the light layers that follow it, or a summary of many in a graph
too large to draw.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weightbridge.model.vocabulary import NORMS, PASSING
from weightbridge.views.labels import Family, described, family, shape

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
    """Boxes and the edges between them, by index; no edge from a box to itself, none twice. `members`: the
    layers' names in each box.
    """

    boxes: tuple[tuple[Strip, ...], ...]
    edges: tuple[tuple[int, int], ...]
    members: tuple[tuple[str, ...], ...]


def picture(graph: Mapping[str, Any]) -> Picture:
    """One box a layer as far as that can be looked at, else one for a run of layers. Edges go forward: cycles
    lose their last edge.
    """
    layers: Sequence[Mapping[str, Any]] = graph["layers"]
    place = {layer["name"]: i for i, layer in enumerate(layers)}
    known = sorted(
        {(place[a], place[b]) for a, b, _ in graph["edges"] if a in place and b in place and a != b}
    )
    order = _topological(len(layers), known)
    edges = [(a, b) for a, b in known if order[a] < order[b]]
    owner = _stacks(layers, edges, order) if len(layers) <= LAYERS else _chunks(order)
    return _drawn(layers, edges, owner, order)


def _topological(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Each layer's position in an order in which edges go forward; what stands in a cycle keeps the file's
    order, at the end.
    """
    waiting, children = [0] * count, [[] for _ in range(count)]  # type: tuple[list[int], list[list[int]]]
    for a, b in edges:
        waiting[b] += 1
        children[a].append(b)
    ready = [i for i in range(count) if not waiting[i]]
    for i in ready:  # grows while it is read
        for child in children[i]:
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    seen = set(ready)
    sequence = [*ready, *(i for i in range(count) if i not in seen)]
    return [position for _, position in sorted((i, position) for position, i in enumerate(sequence))]


def _stacks(
    layers: Sequence[Mapping[str, Any]], edges: Sequence[tuple[int, int]], order: Sequence[int]
) -> list[int]:
    """The first layer of each layer's box: a light layer joins its parent where neither has another neighbour
    between them.
    """
    outgoing, incoming = Counter(a for a, _ in edges), Counter(b for _, b in edges)
    owner = list(range(len(layers)))
    for a, b in sorted(edges, key=lambda edge: order[edge[0]]):
        joins = layers[b]["op"] in STACKED or layers[a]["op"] == "Pad"
        if joins and outgoing[a] == 1 and incoming[b] == 1 and layers[a]["op"] != "Input":
            owner[b] = owner[a]
    return owner


def _chunks(order: Sequence[int]) -> list[int]:
    """The first layer of each layer's run: runs of equal length in topological order, so that edges between
    them go forward.
    """
    sequence = [i for _, i in sorted((position, i) for i, position in enumerate(order))]
    length = -(-len(order) // BOXES)
    return [sequence[position // length * length] for position in order]


def _drawn(
    layers: Sequence[Mapping[str, Any]],
    edges: Sequence[tuple[int, int]],
    owner: Sequence[int],
    order: Sequence[int],
) -> Picture:
    inside: dict[int, list[int]] = {}
    for i in sorted(range(len(layers)), key=order.__getitem__):
        inside.setdefault(owner[i], []).append(i)
    index = {first: box for box, first in enumerate(inside)}
    joined = sorted({(index[owner[a]], index[owner[b]]) for a, b in edges if owner[a] != owner[b]})
    stacked = len(layers) <= LAYERS
    boxes = tuple(
        _strips([layers[i] for i in box]) if stacked else _summary([layers[i] for i in box])
        for box in inside.values()
    )
    return Picture(
        boxes, tuple(joined), tuple(tuple(layers[i]["name"] for i in box) for box in inside.values())
    )


def _strips(layers: Sequence[Mapping[str, Any]]) -> tuple[Strip, ...]:
    return tuple(
        Strip(
            layer["name"],
            " ".join(part for part in (described(layer), shape(layer)) if part),
            family(layer["op"]),
        )
        for layer in layers
    )


def _summary(layers: Sequence[Mapping[str, Any]]) -> tuple[Strip, ...]:
    counts = Counter(layer["op"] for layer in layers).most_common(3)
    detail = ", ".join(f"{n} {op}" for op, n in counts)
    name = layers[0]["name"] if len(layers) == 1 else f"{layers[0]['name']} ... {layers[-1]['name']}"
    return (Strip(name, f"{len(layers)} layers: {detail}", family(counts[0][0])),)
