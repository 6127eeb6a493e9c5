"""Lines of a text report: pieces with styles, wrapped between words and between a command's arguments."""

import re
from collections.abc import Iterable, Sequence
from unicodedata import east_asian_width

from weightbridge.report.escape import visible

Piece = tuple[str, str]  # text, style
Line = tuple[Piece, ...]
BLANK: Line = ()
MOST = 100_000  # signs of a line
FILLED, LEAST = "█", "▏"


def line(text: str, style: str = "") -> Line:
    """Whatever a name in it is, it steers nothing."""
    return ((visible(text, longest=MOST), style),)


def cells(text: str) -> int:
    """How many columns a terminal takes for it."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def fitted(text: str, width: int) -> str:
    """A name without its middle where there is no room for it."""
    shown = visible(text)
    if cells(shown) <= width:
        return shown
    keep = max(width - 1, 2)
    behind = keep // 2
    while cells(shown[: keep - behind] + shown[-behind:]) > keep and keep > 2:
        keep -= 1
        behind = keep // 2
    return f"{shown[: keep - behind]}…{shown[-behind:]}"


def wrapped(text: str, width: int, indent: int, hanging: int, style: str = "") -> list[Line]:
    """Words in lines; the first with `indent` blanks, the others with `hanging`."""
    lines: list[Line] = []
    words: list[str] = []
    column = indent
    for word in _words(visible(text), width - hanging):
        size = cells(word)
        if words and column + 1 + size > width:
            lines.append(line(" " * (hanging if lines else indent) + " ".join(words), style))
            words, column = [], hanging
        column += size + bool(words)
        words.append(word)
    return [*lines, line(" " * (hanging if lines else indent) + " ".join(words), style)]


def command(arguments: Sequence[str], width: int, indent: int) -> list[Line]:
    """A command in lines that end with a backslash, an option with its value."""
    lines, now = [], " " * indent
    empty = True
    for part in _together(arguments):
        if not empty and cells(now) + 1 + cells(part) > width - 2:
            lines.append(line(f"{now} \\", "bold"))
            now, empty = " " * (indent + 2), True
        now = now + part if empty else f"{now} {part}"
        empty = False
    return [*lines, line(now, "bold")]


def shell(argument: str) -> str:
    """As a shell takes it: globs and options' values in quotes."""
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", argument):
        return argument
    return "'" + visible(argument, longest=MOST).replace("'", "'\"'\"'") + "'"


def bar(fraction: float, width: int) -> str:
    """Filled to the nearest cell; what is more than nothing shows."""
    filled = round(fraction * width)
    if not filled and fraction > 0:
        return padded(LEAST, width)
    return padded(FILLED * filled, width)


def _together(arguments: Sequence[str]) -> Iterable[str]:
    """An option with the value behind it."""
    parts = list(map(shell, arguments))
    i = 0
    while i < len(parts):
        has_value = parts[i].startswith("--") and i + 1 < len(parts) and not parts[i + 1].startswith("--")
        yield f"{parts[i]} {parts[i + 1]}" if has_value else parts[i]
        i += 2 if has_value else 1


def _words(text: str, width: int) -> Iterable[str]:
    """Words; those that no line can hold in pieces."""
    for word in text.split(" "):
        rest = word
        while cells(rest) > width:
            end = _most(rest, width)
            yield rest[:end]
            rest = rest[end:]
        yield rest


def _most(text: str, width: int) -> int:
    """How many signs of the text fit."""
    end = min(len(text), width)
    while end > 1 and cells(text[:end]) > width:
        end -= 1
    return end
