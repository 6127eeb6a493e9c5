"""The findings of a text report: a group a code, errors first, notes in a line each."""

from collections.abc import Iterator, Sequence
from itertools import chain

from weightbridge.report.digest.values import Digest, Entry, Group
from weightbridge.report.escape import visible
from weightbridge.report.render.layout import BLANK, Line, cells, fitted, line, padded, wrapped

TITLES = (("error", "Errors", "red"), ("warning", "Warnings", "yellow"))
INDENT, HANGING = 6, 9
SHORT = 70  # what may stand in one line of answers
LONGEST = 400  # signs of a message
REWRITTEN = ("WB102", "WB110")  # as notes: what a conversion mended, and what it wrote in another way
MOST = 12  # of these in lines of their own
LISTED = 40  # words in the lines that list some


def findings(made: Digest, width: int, entries: int, lines: int, *, has_table: bool) -> Iterator[Line]:
    """Errors and warnings with at most so many entries each, then the notes."""
    for severity, title, style in TITLES:
        groups = [group for group in made.groups if group.severity == severity]
        yield from (BLANK, line(title, f"bold {style}")) if groups else ()
        yield from chain.from_iterable(_group(group, width, entries, lines) for group in groups)
    notes = [group for group in made.groups if group.severity == "note"]
    is_beside = has_table and len(notes) == len(made.groups)
    yield from _notes(notes, width, lines, is_beside)


def _group(group: Group, width: int, entries: int, lines: int) -> Iterator[Line]:
    yield from _cut(f"{group.code} {group.name}: {group.text}", width, lines, group.code)
    if group.listed and entries:
        yield from _listed(group, width, lines)
    shown = group.entries[:entries]
    names = [visible(entry.head, 60) for entry in shown]
    column = max(12, *map(cells, names)) + 1 if names else 0
    for entry in shown:
        yield from _entry(entry, column, width, lines, group.code)
    more = len(group.entries) - len(shown)
    if more and entries:
        yield line(f"{' ' * INDENT}and {more:,} more: --details={group.code}")
    if group.fix and group.severity == "error" and entries:
        yield from wrapped(f"-> {visible(group.fix, LONGEST)}", width, INDENT, HANGING, "italic")


def _notes(groups: Sequence[Group], width: int, lines: int, is_beside: bool) -> Iterator[Line]:
    """Behind a table of layers without a heading, else after a blank line."""
    if not groups:
        return
    said = [(group, text) for group in groups for text in _texts(group)]
    if is_beside:
        for group, text in said:
            yield from wrapped(f"note    {visible(text, LONGEST)} ({group.code})", width, 2, 10, "dim")
        return
    yield BLANK
    for group, text in said:
        yield from _cut(f"{group.code} {group.name}: {text}", width, lines, group.code, "dim")


def _texts(group: Group) -> Sequence[str]:
    """What a conversion rewrote is a line for each rule; other notes are one."""
    if group.code not in REWRITTEN or not group.entries:
        return [group.text]
    more = len(group.entries) - MOST
    said = [entry.head for entry in group.entries[:MOST]]
    return [*said, f"and {more:,} more: --details={group.code}"] if more > 0 else said


def _cut(text: str, width: int, lines: int, code: str, style: str = "") -> list[Line]:
    """A message in at most so many lines; what it loses is said."""
    shown = wrapped(visible(text, LONGEST), width, 2, 4, style)
    if len(shown) <= lines:
        return shown
    more = f" ... --details={code}"
    last = "".join(piece for piece, _ in shown[lines - 1])
    while cells(last) + len(more) > width:
        last = last.rpartition(" ")[0]
    return [*shown[: lines - 1], line(last + more, style)]


def _listed(group: Group, width: int, lines: int) -> list[Line]:
    """`conv1* 2, conv2* 54` in at most so many lines."""
    total = len(group.listed)
    parts = [visible(part, 40) for part in group.listed[:LISTED]]
    for number in range(len(parts), 0, -1):
        rest = f", and {total - number:,} more" if number < total else ""
        shown = wrapped(", ".join(parts[:number]) + rest, width, INDENT, INDENT)
        if len(shown) <= max(lines - 1, 1):
            return shown
    return []


def _entry(entry: Entry, column: int, width: int, lines: int, code: str) -> Iterator[Line]:
    """A name with its details beside it, or below it where they are answers."""
    if len(entry.details) > 1:
        yield from _answers(entry, width)
    elif entry.details:
        head = padded(visible(entry.head, 60), column)
        yield from wrapped(f"{head}{visible(entry.details[0], LONGEST)}", width, INDENT, HANGING)
    else:
        shown = wrapped(visible(entry.head, LONGEST), width, INDENT, HANGING)
        yield from shown[: max(lines - 1, 1)]


def _answers(entry: Entry, width: int) -> Iterator[Line]:
    """`<- the chosen one`, `or another`: in one line where they are short."""
    room = width - HANGING - 3
    yield line(f"{' ' * INDENT}{fitted(entry.head, width - INDENT)}")
    texts = [f"<- {fitted(entry.details[0], room)}"]
    texts += [f"or {fitted(other, room)}" for other in entry.details[1:3]]
    more = len(entry.details) - 3
    texts += [f"or one of {more:,} more"] if more > 0 else []
    joined = "   ".join(texts)
    if cells(joined) <= SHORT:
        yield line(f"{' ' * HANGING}{joined}")
        return
    yield from (line(f"{' ' * HANGING}{text}") for text in texts)
