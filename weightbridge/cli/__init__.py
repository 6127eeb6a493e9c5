"""The command line: arguments in, one call of a command, reports out, an exit code."""

from weightbridge.cli.entry import main

__all__ = ["main"]
