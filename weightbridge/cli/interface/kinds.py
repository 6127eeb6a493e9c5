"""Kinds of values: how a shell completes them, and what is said of one that is close to a right one."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from weightbridge.boundary.words import did_you_mean
from weightbridge.errors.diagnostics import CODES
from weightbridge.report.render.renderers import RENDERERS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    Choice: TypeAlias = click.Choice[str]
    Kind: TypeAlias = click.ParamType[str]
else:
    Choice, Kind = click.Choice, click.ParamType  # click 8.1 has them without types


class OneOf(Choice):
    """A choice that names the nearest value."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            said = f"{error.message}{did_you_mean(str(value), map(str, self.choices))}"
            raise click.BadParameter(said, ctx=ctx, param=param) from error


class Completed(Kind):
    """Text that is taken as it is, of which a shell completes the beginning.

    names: (text, what it stands for) pairs; without any, the names of files.
    """

    def __init__(self, name: str, names: Sequence[tuple[str, str]] = ()) -> None:
        self.name, self.names = name, names

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        if not self.names:
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(name, help=said) for name, said in _beginning(self.names, incomplete)]


def _beginning(names: Iterable[tuple[str, str]], incomplete: str) -> list[tuple[str, str]]:
    return [(name, said) for name, said in names if name.lower().startswith(incomplete.lower())]


FILE = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)
MODEL = Completed("model")
REPORT = Completed("format", [(format, f"the report as {format}") for format in RENDERERS])
CODE = Completed("code", [(code, known.name) for code, known in CODES.items()])
