"""Running one command: its report, or that of the error that ended it, in every format asked for."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from weightbridge.boundary.options import Options
from weightbridge.cli.console import complain, note_written, show
from weightbridge.cli.options import options_from
from weightbridge.cli.parsing import Request, detail, requests
from weightbridge.cli.progress import progress_bar
from weightbridge.cli.writing import check_writable, write_atomically
from weightbridge.errors import OutputError, UsageError, WeightbridgeError
from weightbridge.report.pairs import PairsReport
from weightbridge.report.policy import find_policy
from weightbridge.report.render.renderers import renderer
from weightbridge.report.values import Report
from weightbridge.report.verdict import failed

AnyReport = Report | PairsReport
SHOWN = Request("text")
TEXT = (SHOWN,)
HASHED = frozenset({"json", "json:lean"})  # the formats that name the SHA-256 of what was read and written
WRITING = frozenset(
    {"plan", "transfer", "convert", "features", "stitch", "recalibrate"}
)  # commands with an OUTPUT


def run(
    command: str,
    given: dict[str, Any],
    action: Callable[[Options], AnyReport],
    models: Sequence[str],
    default: Sequence[Request] = TEXT,
) -> int:
    """Calls the action with the options, writes the reports, gives the exit code.

    models: the paths that no report may be written over; all but the first are on the target's side.
    default: the reports where none is asked for.
    """
    details = detail(given["details"])
    asked = requests(given["reports"]) or tuple(default)
    wanted = tuple(r for r in asked if not (given["quiet"] and r == SHOWN))
    if details and "text" not in {request.format for request in wanted}:
        raise click.UsageError("--details is about the text report, and there is none: add --report text")
    for request in wanted:
        if request.path:
            check_writable(request.path, models)
    with progress_bar(not given["no_progress"]) as progress:
        options = options_from(_with_policy(command, given), progress)
        options = replace(options, hashes=any(request.format in HASHED for request in wanted))
        report = _result(command, lambda: action(options), models, is_shown=SHOWN in wanted)
    return _deliver(report, wanted, details)


def _with_policy(command: str, given: dict[str, Any]) -> dict[str, Any]:
    """With the policy of the working directory, where none is given; a saved report has been judged."""
    if command == "report" or given["policy"] is not None:
        return given
    return {**given, "policy": find_policy()}


def _result(
    command: str, action: Callable[[], AnyReport], models: Sequence[str], *, is_shown: bool
) -> AnyReport:
    """is_shown: whether the text report says the error, which is said once."""
    try:
        return action()
    except UsageError:
        raise
    except WeightbridgeError as error:
        if not (is_shown and error.code):
            complain(str(error))
        report = failed(command, error, [path for path in models[1:] if path != models[0]])
        return replace(report, wrote={}) if command in WRITING else report


def _deliver(report: AnyReport, wanted: Sequence[Request], details: str) -> int:
    """All that can be written is written, even where one of them cannot."""
    data = report.to_json()
    refused = [error for request in wanted if (error := _written(request, data, details))]
    return OutputError.exit_code if refused else report.exit_code


def _written(request: Request, data: Mapping[str, Any], details: str) -> OutputError | None:
    try:
        if request.path is None:
            show(_rendered(request, data, details))
        else:
            write_atomically(request.path, _rendered(request, data, details))
            note_written(request.path)
    except OutputError as error:
        complain(str(error))
        return error
    return None


def _rendered(request: Request, data: Mapping[str, Any], details: str) -> str:
    """Text to the terminal's width and in colours, where it goes to one."""
    if request.format != "text":
        return renderer(request.format)(data)
    from weightbridge.report.render.text import WIDTH, render_on

    if request.path is None and sys.stdout is not None and sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        return render_on(data, width, color="NO_COLOR" not in os.environ, details=details)
    return render_on(data, WIDTH, color=False, details=details)
