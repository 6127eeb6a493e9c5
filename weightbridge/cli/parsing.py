"""What users type in options, as values: K=V arguments, SOURCE=TARGET pairs, FORMAT[=PATH] reports."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from weightbridge.boundary.files import real_path
from weightbridge.boundary.records import dataclass
from weightbridge.boundary.words import did_you_mean
from weightbridge.errors.diagnostics import CODES
from weightbridge.report.render.renderers import RENDERERS


@dataclass(frozen=True, slots=True)
class Request:
    """A report that was asked for; `path` is None for standard output."""

    format: str
    path: Path | None = None


def requests(texts: Iterable[str]) -> tuple[Request, ...]:
    """`--report FORMAT[=PATH]`; PATH `-` is standard output too."""
    found = tuple(map(_request, texts))
    paths = [real_path(request.path) for request in found if request.path]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice:
        raise click.UsageError(f"two reports would be written to {twice}: give each a path of its own")
    return found


def detail(text: str | None) -> str:
    """`--details[=CODE]`: a code, `all`, or nothing."""
    if text is None or text == "all" or text.upper() in CODES:
        return text.upper() if text and text != "all" else text or ""
    raise click.UsageError(
        f"--details={text}: there is no such code.{did_you_mean(text, CODES)} "
        "`weightbridge rules list` has them all"
    )


def arguments(texts: Iterable[str], option: str) -> dict[str, Any]:
    """`--source-arg k=v`: v is JSON, else text."""
    return dict(_argument(text, option) for text in texts)


def pair(text: str) -> tuple[str, str]:
    """`--map SOURCE=TARGET`."""
    source, equals, target = text.partition("=")
    if not (source and equals and target):
        raise click.UsageError(f"--map {text}: expected SOURCE=TARGET, two names of tensors or globs")
    return source, target


def shape(text: str) -> tuple[int, ...]:
    """`--input-shape 1,3,32,32`."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise click.UsageError(f"--input-shape {text}: expected numbers from 1 up, as 1,3,32,32")
    return tuple(map(int, parts))


def _request(text: str) -> Request:
    format, _, path = text.partition("=")
    if format not in RENDERERS:
        raise click.UsageError(
            f"--report {text}: there is no report format {format!r}."
            f"{did_you_mean(format, RENDERERS)} Available: {', '.join(RENDERERS)}"
        )
    if "=" in text and not path:
        raise click.UsageError(f"--report {text}: the path is missing. Leave out the = for standard output")
    return Request(format, None if path in ("", "-") else Path(path))


def _argument(text: str, option: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key.isidentifier() and equals):
        raise click.UsageError(
            f"{option} {text}: expected NAME=VALUE, where NAME is an argument of the callable"
        )
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
