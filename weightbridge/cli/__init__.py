"""The command line: arguments in, one call of a command, reports out, an exit code."""

from collections.abc import Sequence
from typing import NoReturn

from weightbridge.boundary.garbage import collect_seldom

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Never returns. What it imports is many objects already, and no garbage."""
    collect_seldom()
    from weightbridge.cli import entry

    entry.main(argv)
