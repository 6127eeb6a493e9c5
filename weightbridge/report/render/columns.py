"""A text table's columns: numbers and words are whole where there is room, then names.

A name that is broken cannot be searched for. Most cells fit and are only filled up with blanks: a report of
hundreds of rows takes less than half the time that a general layout does.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from weightbridge.boundary.records import dataclass
from weightbridge.report.escape import RULE, visible

ColumnKind = Literal["name", "text", "number"]
GAP = 3  # between two columns
NAME, WORD = 8, 14  # what a column gets at least, if it asks for that much


@dataclass(frozen=True, slots=True)
class Column:
    """name: text that comes from a file and should stay as it is written. number: aligned to the right."""

    title: str
    kind: ColumnKind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """`count`: how many things the rows stand for, folded ones counted."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    count: int


def widths(table: Table, width: int) -> list[int]:
    """One for each column, as many as there is room for; the widest give way first where there is little."""
    cells = zip(*table.rows, strict=True)
    columns = [[c.title, *map(visible, column)] for c, column in zip(table.columns, cells, strict=True)]
    wanted = [max(map(len, column)) for column in columns]
    is_name = [column.kind == "name" for column in table.columns]
    least = [NAME if name else _word(column) for name, column in zip(is_name, columns, strict=True)]
    widths = list(map(min, wanted, least))
    room = width - GAP * (len(widths) - 1)
    names = [i for i, name in enumerate(is_name) if name]
    _give(widths, wanted, names, room)
    _give(widths, wanted, [i for i in range(len(widths)) if i not in names], room)
    _take(widths, room)
    return widths


def _take(widths: list[int], room: int) -> None:
    """One character less for the widest column, until there is room."""
    while sum(widths) > room and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1


def _word(column: Sequence[str]) -> int:
    """The length of the column's longest word, up to a limit."""
    lengths = [len(word) for cell in column for word in cell.split()]
    return min(max(lengths, default=0), WORD)


def _give(widths: list[int], wanted: Sequence[int], columns: Sequence[int], room: int) -> None:
    """One more character to the narrowest of these columns that wants it, until there is no room."""
    for _ in range(room - sum(widths)):
        short = [i for i in columns if widths[i] < wanted[i]]
        if not short:
            return
        widths[min(short, key=widths.__getitem__)] += 1


def lines(table: Table, widths: Sequence[int], rows: int) -> Iterator[str]:
    """The titles, a rule, and the first rows; what does not fit into its column goes on in the next line."""
    total = sum(widths) + GAP * (len(widths) - 1)
    console = Console(width=total + GAP, _environ={})
    titles = [column.title for column in table.columns]
    yield from _row(titles, table.columns, widths, console)
    yield RULE * total
    for row in table.rows[:rows]:
        cells = list(map(visible, row))
        yield from _row(cells, table.columns, widths, console)


def _row(
    cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int], console: Console
) -> Iterator[str]:
    wrapped = [_wrapped(cell, width, console) for cell, width in zip(cells, widths, strict=True)]
    for parts in zip_longest(*wrapped, fillvalue=""):
        filled = map(_filled, parts, columns, widths)
        yield (" " * GAP).join(filled).rstrip()


def _wrapped(cell: str, width: int, console: Console) -> list[str]:
    if cell_len(cell) <= width:
        return [cell]
    return [line.plain.rstrip() for line in Text(cell).wrap(console, width, overflow="fold")]


def _filled(part: str, column: Column, width: int) -> str:
    blanks = " " * (width - cell_len(part))
    return blanks + part if column.kind == "number" else part + blanks
