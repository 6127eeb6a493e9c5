"""Running one command: its report, or that of the error that ended it, in every format asked for."""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from weightbridge.cli.console import complain, show
from weightbridge.cli.options import options_from
from weightbridge.cli.parsing import Request, requests
from weightbridge.cli.progress import progress_bar
from weightbridge.cli.writing import check_writable, write_atomically
from weightbridge.errors import OutputError, UsageError, WeightbridgeError
from weightbridge.options import Options
from weightbridge.report.render.renderers import renderer
from weightbridge.report.values import Report
from weightbridge.report.verdict import failed

Action = Callable[[Options], Report]
TEXT = (Request("text"),)


def run(
    command: str,
    given: dict[str, Any],
    action: Callable[[Options], Report],
    models: Sequence[str],
    default: Sequence[Request] = TEXT,
) -> int:
    """Calls the action with the options, writes the reports, gives the exit code.

    models: the paths that no report may be written over; all but the first are on the target's side.
    default: the reports where none is asked for.
    """
    asked = requests(given["reports"]) or tuple(default)
    wanted = tuple(r for r in asked if not (given["quiet"] and r == Request("text")))
    for request in wanted:
        if request.path:
            check_writable(request.path, models)
    with progress_bar(not given["no_progress"]) as progress:
        options = options_from(given, progress)
        report = _result(command, lambda: action(options), models)
    return _deliver(report, wanted, details=given.get("details", False))


def _result(command: str, action: Callable[[], Report], models: Sequence[str]) -> Report:
    try:
        return action()
    except UsageError:
        raise
    except WeightbridgeError as error:
        complain(str(error))
        return failed(command, error, models[1:])


def _deliver(report: Report, wanted: Sequence[Request], *, details: bool) -> int:
    """All that can be written is written, even where one of them cannot."""
    data = report.to_json()
    refused = [error for request in wanted if (error := _written(request, data, details=details))]
    return OutputError.exit_code if refused else report.exit_code


def _written(request: Request, data: Mapping[str, Any], *, details: bool) -> OutputError | None:
    text = _rendered(request, data, details=details)
    try:
        if request.path is None:
            show(text)
        else:
            write_atomically(request.path, text)
    except OutputError as error:
        complain(str(error))
        return error
    return None


def _rendered(request: Request, data: Mapping[str, Any], *, details: bool) -> str:
    if request.format != "text":
        return renderer(request.format)(data)
    from weightbridge.report.render import text  # and rich with it, which a JSON report can do without

    if request.path is None and _is_terminal():
        return text.render_on(data, shutil.get_terminal_size().columns, color=True, details=details)
    return text.render(data, details=details)


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()
