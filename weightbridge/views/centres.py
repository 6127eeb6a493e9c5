"""Where the boxes of each row have their centres.

Near their neighbours' mean, and never over another box.
"""

from collections.abc import Sequence
from itertools import pairwise

from weightbridge.views.forward import parents_and_children
from weightbridge.views.ranks import Rows

GAP_X = 14.0
SWEEPS = 8


def centres(rows: Rows, widths: Sequence[float]) -> list[float]:
    """Sweeps down and up: each row as near to the mean of its neighbours there as its widths allow."""
    links = [link for chain in rows.chains for link in pairwise(chain)]
    above, below = parents_and_children(len(widths), links)
    x = [0.0] * len(widths)
    for sweep in range(SWEEPS):
        is_down = sweep % 2 == 0
        for row in rows.rows if is_down else rows.rows[::-1]:
            _settle(row, above if is_down else below, widths, x)
    return x


def _settle(
    row: Sequence[int], near: Sequence[Sequence[int]], widths: Sequence[float], x: list[float]
) -> None:
    """Moves one row."""
    wanted = [_mean([x[n] for n in near[node]], x[node]) for node in row]
    for node, centre in zip(row, _apart(wanted, [widths[node] for node in row]), strict=True):
        x[node] = centre


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _apart(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """The centres nearest to the wanted ones (least squares) that keep the order and the gaps.

    Isotonic regression by pooling: neighbours that would change places share their mean.
    """
    offsets = [0.0]
    for before, after in pairwise(widths):
        offsets.append(offsets[-1] + (before + after) / 2 + GAP_X)
    pools: list[tuple[float, int]] = []
    for value, offset in zip(wanted, offsets, strict=False):
        total, size = value - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / size:
            pooled_total, pooled_size = pools.pop()
            total, size = total + pooled_total, size + pooled_size
        pools.append((total, size))
    levels = [total / size for total, size in pools for _ in range(size)]
    return [level + offset for level, offset in zip(levels, offsets, strict=False)]
