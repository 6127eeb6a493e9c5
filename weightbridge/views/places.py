"""Layered drawing, second part: where each box of a row is, as near as may be to its neighbours and never
over another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from weightbridge.views.ranks import Rows

GAP_X, GAP_Y, MARGIN = 14.0, 26.0, 12.0
HELPER = 6.0
SWEEPS = 8


@dataclass(frozen=True, slots=True)
class Box:
    """Centre, top and size, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """boxes: by node; helper nodes are as high as their row. paths: the points of each edge, downwards."""

    boxes: tuple[Box, ...]
    paths: tuple[tuple[tuple[float, float], ...], ...]
    width: float
    height: float


def place(rows: Rows, sizes: Sequence[tuple[float, float]]) -> Drawing:
    """sizes: width and height of the boxes; nodes beyond them are helpers."""
    count = sum(map(len, rows.rows))
    widths = [size[0] for size in sizes] + [HELPER] * (count - len(sizes))
    x = _centres(rows, widths)
    left = min((x[i] - widths[i] / 2 for i in range(count)), default=0.0) - MARGIN
    boxes: list[Box] = [Box(0, 0, 0, 0)] * count
    bottoms = [0.0] * count
    y = MARGIN
    for row in rows.rows:
        height = max((sizes[node][1] for node in row if node < len(sizes)), default=0.0)
        for node in row:
            boxes[node] = Box(
                x[node] - left, y, widths[node], sizes[node][1] if node < len(sizes) else height
            )
            bottoms[node] = y + height
        y += height + GAP_Y
    width = max((box.x + box.width / 2 for box in boxes), default=0.0) + MARGIN
    return Drawing(tuple(boxes), _paths(rows, boxes, bottoms), width, y - GAP_Y + MARGIN)


def _centres(rows: Rows, widths: Sequence[float]) -> list[float]:
    """Sweeps down and up: each row as near to the mean of its neighbours there as its widths allow."""
    count = len(widths)
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for chain in rows.chains:
        for a, b in pairwise(chain):
            above[b].append(a)
            below[a].append(b)
    x = [0.0] * count
    for sweep in range(SWEEPS):
        near, order = (above, rows.rows) if sweep % 2 == 0 else (below, rows.rows[::-1])
        for row in order:
            wanted = [
                sum(x[n] for n in near[node]) / len(near[node]) if near[node] else x[node] for node in row
            ]
            for node, centre in zip(row, _apart(wanted, [widths[node] for node in row]), strict=True):
                x[node] = centre
    return x


def _apart(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """The centres nearest to the wanted ones (least squares) that keep the order and the gaps: isotonic
    regression by pooling.
    """
    offsets = [0.0]
    for before, after in pairwise(widths):
        offsets.append(offsets[-1] + (before + after) / 2 + GAP_X)
    pools: list[tuple[float, int]] = []
    for value, offset in zip(wanted, offsets, strict=False):
        total, size = value - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / size:
            total, size = total + pools[-1][0], size + pools[-1][1]
            pools.pop()
        pools.append((total, size))
    levels = [total / size for total, size in pools for _ in range(size)]
    return [level + offset for level, offset in zip(levels, offsets, strict=False)]


def _paths(
    rows: Rows, boxes: Sequence[Box], bottoms: Sequence[float]
) -> tuple[tuple[tuple[float, float], ...], ...]:
    """From the bottom of a box through its helpers to the top of the other, upright inside every row.

    Edges that share a side of a box are spread along it.
    """
    leaving = _ports(rows, boxes, end=0)
    entering = _ports(rows, boxes, end=-1)
    paths = []
    for i, chain in enumerate(rows.chains):
        first, last = boxes[chain[0]], boxes[chain[-1]]
        through = [(boxes[n].x, y) for n in chain[1:-1] for y in (boxes[n].y, bottoms[n])]
        paths.append(
            (
                (leaving[i], first.y + first.height),
                (leaving[i], bottoms[chain[0]]),
                *through,
                (entering[i], last.y),
            )
        )
    return tuple(paths)


def _ports(rows: Rows, boxes: Sequence[Box], end: int) -> list[float]:
    """Where each edge touches the box at this end, in the order of where it comes from or goes to."""
    second = 1 if end == 0 else -2
    by_box: dict[int, list[int]] = {}
    for i, chain in enumerate(rows.chains):
        by_box.setdefault(chain[end], []).append(i)
    x = [0.0] * len(rows.chains)
    for node, edges in by_box.items():
        step = min(16.0, boxes[node].width / (len(edges) + 1))
        for k, i in enumerate(sorted(edges, key=lambda i: boxes[rows.chains[i][second]].x)):
            x[i] = boxes[node].x + (k - (len(edges) - 1) / 2) * step
    return x
