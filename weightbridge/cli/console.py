"""Writing to the terminal: reports to standard output, complaints to standard error, whatever they can show."""

import os
import sys

import click

from weightbridge.report.escape import visible


def complain(message: str) -> None:
    """One line on standard error for each line of our own message."""
    for i, line in enumerate(message.splitlines() or [""]):
        click.echo(f"{'weightbridge: ' if i == 0 else '  '}{visible(line, 4000)}", err=True)


def show(text: str) -> None:
    """To standard output; what its encoding cannot show is escaped, and a reader that has gone away is no error."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains when it flushes at exit
