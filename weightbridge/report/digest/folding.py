"""Folding: names whose counters run one by one in step become one, with `{0..2}` for the counter.

`{a..b}` is read by --map, --fresh and --unused too, so a folded name can be given back.
"""

import re
from collections.abc import Hashable, Sequence
from typing import Any

from weightbridge.boundary.records import dataclass

_COUNTER = re.compile(r"[0-9]{1,9}")
_Values = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """names that run in step. details: what must be equal in rows that fold."""

    names: tuple[str, ...]
    details: Any = ()


@dataclass(frozen=True, slots=True)
class Folded:
    """names: as one pattern each, for `count` rows from the row at `first` on."""

    names: tuple[str, ...]
    count: int
    first: int


@dataclass(slots=True)
class _Run:
    """Rows of one template whose counters have run in step so far."""

    first: int
    begin: _Values
    last: _Values
    count: int = 1


def fold(rows: Sequence[Row]) -> tuple[Folded, ...]:
    """In the order of each run's first row; every row is in exactly one run."""
    runs: list[_Run] = []
    latest: dict[Hashable, _Run] = {}
    for index, row in enumerate(rows):
        template = (tuple(_COUNTER.sub("\0", name) for name in row.names), row.details)
        values = tuple(tuple(_COUNTER.findall(name)) for name in row.names)
        run = latest.get(template)
        if run is not None and _follows(run, values):
            run.last, run.count = values, run.count + 1
            continue
        latest[template] = run = _Run(index, values, values)
        runs.append(run)
    return tuple(_folded(rows, run) for run in runs)


def _follows(run: _Run, values: _Values) -> bool:
    """Whether one counter of every name, or of some, is one higher, and it is the one that ran before."""
    moves = [_moves(*three) for three in zip(run.begin, run.last, values, strict=True)]
    return all(is_next for is_next, _ in moves) and any(moved for _, moved in moves)


def _moves(begin: tuple[str, ...], last: tuple[str, ...], now: tuple[str, ...]) -> tuple[bool, bool]:
    """Whether a name may follow, and whether a counter of it moved."""
    moved = [i for i, value in enumerate(now) if value != last[i]]
    ran = [i for i, value in enumerate(last) if value != begin[i]]
    is_next = len(moved) <= 1 and all(_is_next(last[i], now[i]) for i in moved)
    return is_next and (not ran or ran == moved), bool(moved)


def _is_next(before: str, after: str) -> bool:
    """9 -> 10 and 08 -> 09, never 9 -> 010."""
    is_padded = before.startswith("0") and len(before) > 1
    width = len(before) if is_padded else 1
    return after == str(int(before) + 1).zfill(width)


def _folded(rows: Sequence[Row], run: _Run) -> Folded:
    names = rows[run.first].names
    if run.count == 1:
        return Folded(names, 1, run.first)
    triples = zip(names, run.begin, run.last, strict=True)
    return Folded(tuple(_pattern(*triple) for triple in triples), run.count, run.first)


def _pattern(name: str, begin: tuple[str, ...], last: tuple[str, ...]) -> str:
    pairs = iter(zip(begin, last, strict=True))

    def counter(_: re.Match[str]) -> str:
        first, end = next(pairs)
        return first if first == end else f"{{{first}..{end}}}"

    return _COUNTER.sub(counter, name)
