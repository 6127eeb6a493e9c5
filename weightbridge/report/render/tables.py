"""The tables of a text report: stages, error against depth, and the layers of a small model."""

from collections.abc import Iterator
from math import log10

from weightbridge.report.digest.values import Depth, DepthRow, Digest
from weightbridge.report.escape import visible
from weightbridge.report.render.layout import BLANK, Line, cells, fitted, line, padded
from weightbridge.report.words import counted, measured

SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 60
WIDE = 100  # columns; with less, columns stand closer
CONTRACT = 10
MEASURED = 46  # columns of the table by depth besides names and outcomes
GAP = 2


def stages(made: Digest, width: int) -> Iterator[Line]:
    """Stage by stage, how many convolutions start from which of the source's."""
    if not made.stages:
        return
    labels = max(9, *(len(row.stage) for row in made.stages))
    places = [f" at {', '.join(row.source_at)}" if row.source_at else "" for row in made.stages]
    room = 27 if width >= WIDE else max(21, *map(len, places)) + 1
    ranges = [_range(row.first, row.last, width - labels - room - CONTRACT - 12) for row in made.stages]
    names = max(29 if width >= WIDE else 27, *map(cells, ranges))
    yield BLANK
    titles = padded("Stages", labels + 4) + padded("convolutions of the target", names + 5)
    yield line(f"{titles}{padded('start from the source', room + 3)}contract", "bold")
    for row, layers, place in zip(made.stages, ranges, places, strict=True):
        start = f"  {row.stage:<{labels}}{row.layers:>5,}  {padded(layers, names)}{row.source_layers:>3,}"
        yield line(f"{start}{padded(place, room)}{row.contract}")


def depth(made: Digest, width: int) -> Iterator[Line]:
    """Before the first layer that differs, that layer, and behind it, with the whole curve."""
    if made.depth is None:
        return
    found = made.depth
    rows = [row for row in (found.before, found.first, found.behind) if row]
    outcomes = [_outcome(row, is_first=row is found.first) for row in rows]
    room = width - MEASURED - max(map(len, outcomes))
    ranges = [_range(row.first, row.last, room) for row in rows]
    names = min(max(31, *map(cells, ranges)), max(room, 19))
    yield BLANK
    yield line(f"{padded('Error against depth', names + 13)}times the noise floor   allowed", "bold")
    for row, layers, outcome in zip(rows, ranges, outcomes, strict=True):
        label = "the first" if row is found.first else counted(row.layers, "layer")
        ratio, limit = measured(row.ratio), measured(row.limit)
        yield line(f"  {label:<11}{padded(layers, names)}{ratio:>21}{limit:>10}  {outcome}")
    yield line(f"{' ' * 13}{_curve(found)}", "red")


def layers(made: Digest, width: int, most: int) -> list[Line]:
    """Each layer with its source, where they are few and no other table speaks of them."""
    is_told = made.stages or made.depth or made.verdict not in ("pass", "warn")
    if is_told or not 0 < len(made.layers) <= most:
        return []
    rows = [(row.target, ", ".join(row.sources) or "-", row.how) for row in made.layers]
    shown = [tuple(map(visible, row)) for row in rows]
    first, second, third = (max(map(cells, column)) for column in zip(*shown, strict=True))
    first, second = max(first + 1, 41), max(second + 1, 29)
    if GAP + first + second + third > width:
        return []
    body = (f"  {padded(name, first)}{padded(source, second)}{how}" for name, source, how in shown)
    return [
        BLANK,
        line(padded("Layers", first + GAP) + padded("from", second) + "how", "bold"),
        *map(line, body),
    ]


def _range(first: str, last: str, room: int) -> str:
    """`conv2d .. conv2d_2`; names lose their middles where there is no room."""
    if first == last:
        return fitted(first, room)
    half = (room - 4) // 2
    return f"{fitted(first, half)} .. {fitted(last, half)}"


def _outcome(row: DepthRow, *, is_first: bool) -> str:
    if is_first:
        return f"differs, max abs {measured(row.max_abs)}"
    return f"{row.differ:,} {'differs' if row.differ == 1 else 'differ'}" if row.differ else "equal"


def _curve(found: Depth) -> str:
    """The worst of each stretch of layers, on a logarithmic scale."""
    ratios = [max(ratio or 1.0, 1.0) for ratio in found.ratios]
    stretch = -(-len(ratios) // SPARK_WIDTH)
    worst = [max(ratios[i : i + stretch]) for i in range(0, len(ratios), stretch)]
    top = max(log10(max(worst)), 1e-9)
    return "".join(SPARKS[_height(ratio, top)] for ratio in worst)


def _height(ratio: float, top: float) -> int:
    return min(int(log10(ratio) / top * len(SPARKS)), len(SPARKS) - 1)
