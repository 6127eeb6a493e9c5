"""main(): runs a command and turns whatever ends it into the exit codes that scripts rely on."""

import gc
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from signal import SIGTERM, signal
from threading import current_thread, main_thread
from types import FrameType
from typing import NoReturn

import click

from weightbridge.boundary.files import FULL
from weightbridge.cli.console import complain, give_up, say
from weightbridge.cli.group import cli
from weightbridge.cli.installation import refuse_other_project
from weightbridge.errors import OutputError, WeightbridgeError
from weightbridge.report.escape import visible
from weightbridge.version import __version__

USAGE, INTERRUPTED, INTERNAL = 2, 130, 70


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Never returns.

    Exits 0 passed, 1 findings, 2 usage, 3 nothing proven, 4 unreadable, 5 not written, 70 a bug.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # TensorFlow's greetings are no part of a report
    code = _run(argv)
    # The interpreter would search all of it for garbage once more before it ends: a tenth of a check.
    gc.freeze()
    sys.exit(code)


def _run(argv: Sequence[str] | None) -> int:
    try:
        if current_thread() is main_thread():
            signal(SIGTERM, _stop)
        refuse_other_project(sys.path)
        code = cli.main(args=argv, prog_name="weightbridge", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        return USAGE
    except click.Abort as error:
        return _ended(error)
    except WeightbridgeError as error:
        complain(str(error))
        return error.exit_code
    except OSError as error:
        return _disk_is_full(error) if error.errno in FULL else _report_bug(traceback.format_exc())
    except Exception:  # noqa: BLE001  # the last resort: a bug gets its own exit code, and says what to send
        return _report_bug(traceback.format_exc())


def _ended(error: click.Abort) -> int:
    """click takes the end of any file for a key that was pressed: in our own work that is a bug."""
    if isinstance(error.__cause__, EOFError):
        return _report_bug(traceback.format_exc())
    complain("interrupted")
    return INTERRUPTED


def _stop(number: int, _: FrameType | None) -> NoReturn:
    """A job that is cancelled cleans up like one that ends: no temporary file stays."""
    sys.exit(128 + number)


def _disk_is_full(error: OSError) -> int:
    """Help that goes to a file, or what a framework keeps for a while: no fault of ours."""
    give_up()
    fix = "Free some space, on standard output's disk and where temporary files go"
    complain(f"cannot be written: {error.strerror}. {fix}")
    return OutputError.exit_code


def _report_bug(trace: str) -> int:
    """The trace, escaped: what raised may have quoted a file."""
    for line in trace.rstrip().splitlines():
        say(visible(line))
    import platform

    version = f"weightbridge {__version__}, Python {platform.python_version()}, {platform.platform()}"
    send = "Please send the trace above, the command with its arguments, and these versions:"
    complain(f"this is a bug in weightbridge. {send}")
    say(f"  {version}, {os.environ.get('KERAS_BACKEND', 'no')} KERAS_BACKEND")
    report = "the report of `weightbridge inspect MODEL --report json` for each model"
    say(f"  and, where you may share it, {report}")
    return INTERNAL
