"""How wide the columns of a text table are: numbers and words whole, then names, which cannot be searched for where they are broken."""

from collections.abc import Sequence

from weightbridge.report.escape import visible
from weightbridge.report.sections import Table

GAP = 3  # between two columns
NAME, WORD = 8, 14  # what a column gets at least, if it asks for that much


def widths(table: Table, width: int) -> list[int]:
    """One for each column, as many as there is room for; the widest give way first where there is too little."""
    columns = [[column.title, *map(visible, cells)] for column, cells in zip(table.columns, zip(*table.rows, strict=True), strict=True)]
    wanted = [max(map(len, column)) for column in columns]
    is_name = [column.kind == "name" for column in table.columns]
    found = [min(most, NAME if name else _word(column)) for most, name, column in zip(wanted, is_name, columns, strict=True)]
    room = width - GAP * (len(found) - 1)
    for kind in (True, False):
        _give(found, wanted, [i for i, name in enumerate(is_name) if name is kind], room)
    while sum(found) > room and max(found) > 1:
        found[found.index(max(found))] -= 1
    return found


def _word(column: Sequence[str]) -> int:
    return min(max(len(word) for cell in column for word in cell.split() or [""]), WORD)


def _give(found: list[int], wanted: Sequence[int], columns: Sequence[int], room: int) -> None:
    """One more character to the narrowest of these columns that wants it, until there is no room."""
    for _ in range(room - sum(found)):
        short = [i for i in columns if found[i] < wanted[i]]
        if not short:
            return
        found[min(short, key=found.__getitem__)] += 1
