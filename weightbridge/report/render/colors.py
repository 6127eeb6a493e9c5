"""Lines of a text report for a terminal with colours, by rich."""

from collections.abc import Iterable
from io import StringIO

from rich.console import Console
from rich.text import Text

from weightbridge.report.render.layout import Line

WIDEST = 10_000  # lines are laid out already


def colored(lines: Iterable[Line]) -> str:
    out = StringIO()
    console = Console(
        file=out, width=WIDEST, color_system="standard", force_terminal=True,
        markup=False, highlight=False, emoji=False, legacy_windows=False, _environ={},
    )  # fmt: skip
    for line in lines:
        text = Text()
        for piece, style in line:
            text.append(piece, style or None)
        text.rstrip()
        console.print(text, soft_wrap=True)
    return out.getvalue()
