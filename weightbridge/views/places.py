"""Layered drawing, second part: where each box of a row is, and the path of each edge."""

from collections.abc import Sequence
from dataclasses import dataclass

from weightbridge.views.centres import centres
from weightbridge.views.ranks import Rows

GAP_Y, MARGIN = 26.0, 12.0
HELPER = 6.0
PORT_GAP = 16.0
Point = tuple[float, float]
Path = tuple[Point, ...]
Size = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """Centre, top and size, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Drawing:
    """boxes: by node; helper nodes are as high as their row. paths: the points of each edge, downwards."""

    boxes: tuple[Box, ...]
    paths: tuple[Path, ...]
    width: float
    height: float


def place(rows: Rows, sizes: Sequence[Size]) -> Drawing:
    """sizes: width and height of the boxes; nodes beyond them are helpers."""
    widths = _widths(rows, sizes)
    x = _from_margin(centres(rows, widths), widths)
    boxes = [Box(0, 0, 0, 0)] * len(widths)
    bottoms = [0.0] * len(widths)  # of each node's row
    y = MARGIN
    for row in rows.rows:
        row_height = max((sizes[node][1] for node in row if node < len(sizes)), default=0.0)
        for node in row:
            height = sizes[node][1] if node < len(sizes) else row_height
            boxes[node] = Box(x[node], y, widths[node], height)
            bottoms[node] = y + row_height
        y += row_height + GAP_Y
    width = max((box.right for box in boxes), default=0.0) + MARGIN
    return Drawing(tuple(boxes), _paths(rows, boxes, bottoms), width, y - GAP_Y + MARGIN)


def _widths(rows: Rows, sizes: Sequence[Size]) -> list[float]:
    count = sum(len(row) for row in rows.rows)
    widths = [width for width, _ in sizes]
    return widths + [HELPER] * (count - len(widths))


def _from_margin(x: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Moved so that the leftmost box begins at the margin."""
    edges = (centre - width / 2 for centre, width in zip(x, widths, strict=True))
    left = min(edges, default=0.0) - MARGIN
    return [centre - left for centre in x]


def _paths(rows: Rows, boxes: Sequence[Box], bottoms: Sequence[float]) -> tuple[Path, ...]:
    """From the bottom of a box through its helpers to the top of the other, upright inside every row.

    Edges that share a side of a box are spread along it.
    """
    leaving = _ports(rows, boxes, end=0)
    entering = _ports(rows, boxes, end=-1)
    paths = []
    for chain, start_x, end_x in zip(rows.chains, leaving, entering, strict=True):
        first, *helpers, last = chain
        through = [(boxes[n].x, y) for n in helpers for y in (boxes[n].y, bottoms[n])]
        start = (start_x, boxes[first].bottom)
        below_row = (start_x, bottoms[first])
        end = (end_x, boxes[last].y)
        paths.append((start, below_row, *through, end))
    return tuple(paths)


def _ports(rows: Rows, boxes: Sequence[Box], end: int) -> list[float]:
    """Where each edge touches the box at this end, in the order of where it comes from or goes to."""
    second = 1 if end == 0 else -2
    edges_of: dict[int, list[int]] = {}
    for edge, chain in enumerate(rows.chains):
        edges_of.setdefault(chain[end], []).append(edge)
    x = [0.0] * len(rows.chains)
    for node, edges in edges_of.items():
        edges.sort(key=lambda edge: boxes[rows.chains[edge][second]].x)
        step = min(PORT_GAP, boxes[node].width / (len(edges) + 1))
        for k, edge in enumerate(edges):
            from_centre = k - (len(edges) - 1) / 2
            x[edge] = boxes[node].x + from_centre * step
    return x
