"""Escaping of text from a file, for every place it is shown in.

Nothing in a name may steer a terminal or a page.
"""

import re
from unicodedata import category

# Controls, formats (bidi overrides, joiners), surrogates, private and unassigned characters, line and
# paragraph separators.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_MARKDOWN = re.compile(r"[\\`*_\[\]|~$@#&<>]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# GitHub links @name, #1 and GH-1 even where they are escaped.
_REFERENCE = re.compile(r"(?<=[@#])(?=\w)|(?<=\bGH-)(?=\d)", re.IGNORECASE)
LONGEST = 1000
RULE = "\N{BOX DRAWINGS LIGHT HORIZONTAL}"  # under the titles of a table


def visible(text: str, longest: int = LONGEST) -> str:
    """One line of printable characters: everything else as \\x1b or \\u202e.

    What is longer than `longest` loses its middle.
    """
    shown = text if text.isascii() and text.isprintable() else "".join(map(_character, text))
    return (
        shown
        if len(shown) <= longest
        else f"{shown[: longest - 40]}...({len(shown)} characters)...{shown[-10:]}"
    )


def html(text: str) -> str:
    """For HTML, SVG and XML, in text and in quoted attributes."""
    from html import escape  # with its table of entities, which few reports need

    return escape(visible(text), quote=True)


def markdown(text: str, longest: int = LONGEST) -> str:
    """Prose for GitHub's Markdown: no markup, table cell, mention, reference or link can come out of it."""
    escaped = _MARKDOWN.sub(lambda m: _ENTITIES.get(m.group(), "\\" + m.group()), visible(text, longest))
    return _REFERENCE.sub("&#8203;", escaped)


def markdown_code(text: str) -> str:
    """A name for Markdown, in a code span that is safe in a table cell.

    Its few special characters become \\x60, \\x7c and \\x3c.
    """
    inside = re.sub("[`|<]", lambda m: f"\\x{ord(m.group()):02x}", visible(text))
    return f"`{inside}`" if inside.strip() else ""


def dot(text: str) -> str:
    """A quoted Graphviz string."""
    return '"' + visible(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _character(character: str) -> str:
    if category(character) not in _UNSEEN:
        return character
    point = ord(character)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
