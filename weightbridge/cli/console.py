"""Writing to the terminal: reports to standard output, complaints to standard error."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from weightbridge.errors import OutputError
from weightbridge.report.escape import RULE, visible
from weightbridge.report.words import megabytes

# For encodings without them: the rules of tables, bars, curves, and what stands between parts of a line.
PLAINER = str.maketrans(f"{RULE}█▏·…▁▂▃▄▅▆▇", "-#|-~_..:+*#")


def complain(message: str) -> None:
    """One line on standard error for each line of our own message."""
    for i, line in enumerate(message.splitlines() or [""]):
        say(f"{'weightbridge: ' if i == 0 else '  '}{visible(line, 4000)}")


def note_written(path: Path) -> None:
    """For who sits at a terminal: what was written beside the report. No log gets a line more."""
    if sys.stderr is None or not sys.stderr.isatty():
        return
    size = f", {megabytes(path.stat().st_size)}" if path.is_file() else ""
    complain(f"wrote {path}{size}")


def say(line: str) -> None:
    """To standard error; where that takes nothing, the exit code says what it can."""
    with suppress(OSError):
        click.echo(line, err=True)


def show(text: str) -> None:
    """To standard output; what its encoding cannot show is escaped.

    A reader that has gone away is no error. Raises OutputError where it is a file on a full disk.
    """
    if sys.stdout is None:  # closed by whoever started us
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(_shown_in(text, encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        give_up()
    except OSError as error:
        give_up()
        fix = "Send it to a file or terminal that can take it, or say --report FORMAT=PATH"
        raise OutputError(f"cannot be written: {error.strerror}", where="standard output", fix=fix) from error


def _shown_in(text: str, encoding: str) -> str:
    """Rules, bars and curves in ASCII, where there are no others."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(PLAINER).encode(encoding, "backslashreplace").decode(encoding)
    return text


def give_up() -> None:
    """Nothing more to standard output. Or the interpreter complains when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
