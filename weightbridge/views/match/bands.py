"""Where the blocks of two models stand: two columns in shared bands, one a stage, joined by ribbons."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import log2

from weightbridge.views.match.matched import Box, Matched, Ribbon

Band = tuple[int, Fraction]  # before, down, up or behind the grids; and the stage
NO_GRID = Fraction(0)
START, DOWN, UP, HEAD = range(4)
TOP, GAP, PAD, BETWEEN = 52.0, 8.0, 10.0, 6.0
LOWEST, HIGHEST = 28.0, 44.0


@dataclass(frozen=True, slots=True)
class Columns:
    """How wide things are. is_narrow: for a telephone, with less in each box."""

    label: float
    box: float
    width: float
    is_narrow: bool = False

    @property
    def left(self) -> float:
        return self.label

    @property
    def right(self) -> float:
        return self.width - self.box - 10


WIDE = Columns(74, 268, 1072)
NARROW = Columns(44, 150, 460, is_narrow=True)


@dataclass(frozen=True, slots=True)
class Row:
    """A band of the picture."""

    label: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Placed:
    """A box with its place; band: of the picture's rows."""

    box: Box
    band: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Strand:
    """A ribbon: its upper edge and height at both ends."""

    ribbon: Ribbon
    source_y: float
    source_height: float
    target_y: float
    target_height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """All of a picture, in pixels."""

    columns: Columns
    rows: tuple[Row, ...]
    source: tuple[Placed, ...]
    target: tuple[Placed, ...]
    strands: tuple[Strand, ...]
    height: float


def layout(match: Matched, columns: Columns = WIDE) -> Layout:
    """Bands from fine to coarse; both columns in the middle of their band."""
    of_source, of_target = _bands(match)
    keys = sorted({*of_source, *of_target})
    heights = {key: _band_height(key, match, of_source, of_target) for key in keys}
    rows: list[Row] = []
    y = TOP
    for key in keys:
        rows.append(Row(_label(key), y, heights[key]))
        y += heights[key] + BETWEEN
    number = {key: i for i, key in enumerate(keys)}
    source = _column(match.source, [number[key] for key in of_source], rows, columns.left, columns.box)
    target = _column(match.target, [number[key] for key in of_target], rows, columns.right, columns.box)
    strands = _strands(match.ribbons, source, target)
    return Layout(columns, tuple(rows), source, target, strands, y - BETWEEN + PAD)


def _bands(match: Matched) -> tuple[list[Band], list[Band]]:
    """Of each box; a side without stages stands beside what it is joined to."""
    source, target = _own_bands(match.source), _own_bands(match.target)
    if source is None and target is not None:
        source = _beside(len(match.source), target, [(r.source, r.target, r.steps) for r in match.ribbons])
    if target is None and source is not None:
        target = _beside(len(match.target), source, [(r.target, r.source, r.steps) for r in match.ribbons])
    nowhere = (DOWN, NO_GRID)
    return source or [nowhere] * len(match.source), target or [nowhere] * len(match.target)


def _own_bands(boxes: Sequence[Box]) -> list[Band] | None:
    """None for a model without stages. Behind the coarsest grid it may become finer again."""
    stages = [Fraction(box.block.stage or 0) for box in boxes]
    known = [i for i, stage in enumerate(stages) if stage]
    if not known:
        return None
    coarsest = min(stages[i] for i in known)
    last = max(i for i in known if stages[i] == coarsest)
    return [_own_band(stage, is_up=i > last, is_start=i < known[0]) for i, stage in enumerate(stages)]


def _own_band(stage: Fraction, *, is_up: bool, is_start: bool) -> Band:
    if not stage:
        return START if is_start else HEAD, NO_GRID
    return (UP, stage) if is_up else (DOWN, -stage)


def _beside(count: int, others: Sequence[Band], joins: Iterable[tuple[int, int, int]]) -> list[Band]:
    """The band that most of a box's steps lead to; else that of the box before."""
    votes: dict[int, Counter[Band]] = {}
    for own, other, steps in joins:
        votes.setdefault(own, Counter())[others[other]] += steps
    found: list[Band] = []
    for i in range(count):
        before = found[-1] if found else min(others)
        found.append(votes[i].most_common(1)[0][0] if i in votes else before)
    return found


def _label(band: Band) -> str:
    phase, stage = band
    if phase in (DOWN, UP):
        size = abs(stage)
        return f"{size.numerator}/{size.denominator}" if size else ""
    return "head" if phase == HEAD else "start"


def _band_height(key: Band, match: Matched, of_source: Sequence[Band], of_target: Sequence[Band]) -> float:
    columns = ((match.source, of_source), (match.target, of_target))
    return 2 * PAD + max(
        _stacked([box for box, band in zip(boxes, bands, strict=True) if band == key])
        for boxes, bands in columns
    )


def _stacked(boxes: Sequence[Box]) -> float:
    return sum(map(_height, boxes)) + GAP * max(len(boxes) - 1, 0)


def _height(box: Box) -> float:
    return min(LOWEST + 3 * log2(1 + box.tensors / 8), HIGHEST)


def _column(
    boxes: Sequence[Box], bands: Sequence[int], rows: Sequence[Row], x: float, width: float
) -> tuple[Placed, ...]:
    """In their order from the top of each band's middle part."""
    inside: dict[int, list[Box]] = {}
    for box, band in zip(boxes, bands, strict=True):
        inside.setdefault(band, []).append(box)
    y = {i: rows[i].y + (rows[i].height - _stacked(mine)) / 2 for i, mine in inside.items()}
    placed = []
    for box, band in zip(boxes, bands, strict=True):
        placed.append(Placed(box, band, x, y[band], width, _height(box)))
        y[band] += _height(box) + GAP
    return tuple(placed)


def _strands(
    ribbons: Sequence[Ribbon], source: Sequence[Placed], target: Sequence[Placed]
) -> tuple[Strand, ...]:
    """The ribbons of a box share its height by their steps, in the order of their other ends."""
    sources = _shared([(r.source, target[r.target].y, r.steps) for r in ribbons], source)
    targets = _shared([(r.target, source[r.source].y, r.steps) for r in ribbons], target)
    return tuple(Strand(ribbon, *sources[i], *targets[i]) for i, ribbon in enumerate(ribbons))


def _shared(
    ends: Sequence[tuple[int, float, int]], placed: Sequence[Placed]
) -> Mapping[int, tuple[float, float]]:
    """ends: each ribbon's box here, the height of its other box, and its steps."""
    by_box: dict[int, list[int]] = {}
    for i, (box, _, _) in enumerate(ends):
        by_box.setdefault(box, []).append(i)
    found: dict[int, tuple[float, float]] = {}
    for box, mine in by_box.items():
        total = sum(ends[i][2] for i in mine)
        y = placed[box].y
        for i in sorted(mine, key=lambda i: ends[i][1]):
            height = placed[box].height * ends[i][2] / total
            found[i] = (y, height)
            y += height
    return found
