"""A command whose help has its options in groups, and an example that can be pasted."""

from collections.abc import Callable
from typing import Any

import click

from weightbridge.boundary.words import did_you_mean

REST = "Other options"
# What other programs call it: the option of ours, which is named only where the command has it.
ELSEWHERE = {
    "--verbose": "--details",
    "-v": "--details",
    "-vv": "--details",
    "-q": "--quiet",
    "--silent": "--quiet",
    "--force": "--overwrite",
    "-f": "--overwrite",
    "--strict": "--fail-on warning",
    "--ignore": "--unused GLOB",
    "--skip": "--fresh GLOB",
    "--skip-mismatch": "--fresh GLOB",
    "--rename": "--map SOURCE=TARGET",
}


class Option(click.Option):
    """An option with the heading that it stands under."""

    def __init__(self, *args: Any, group: str = REST, **given: Any) -> None:
        super().__init__(*args, **given)
        self.group = group


class Command(click.Command):
    """example: one command line, which a test runs beside the files of examples/models."""

    def __init__(self, *args: Any, example: str = "", **given: Any) -> None:
        super().__init__(*args, **given)
        self.example = example

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A wrong option is answered with the nearest, or with ours for what other programs call so."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            known = [name for parameter in self.get_params(ctx) for name in parameter.opts if name[0] == "-"]
            ours = _ours(error.option_name)
            if ours.split(" ")[0] in known:
                said = f" Did you mean {ours!r}?"
            else:
                said = did_you_mean(error.option_name, known)
            raise click.UsageError(f"No such option {error.option_name!r}.{said}", ctx) from error

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Groups in the order in which the command has them; what has no group comes last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        options = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, click.Option)]
        for parameter in options:
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(getattr(parameter, "group", REST), []).append(record)
        groups[REST] = groups.pop(REST, [])
        for heading, records in groups.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.example:
            with formatter.section("Example"):
                formatter.write(f"{'':>{formatter.current_indent}}{self.example}\n")


class Group(click.Group):
    """A group of commands that answers a wrong name with the nearest."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name.startswith("-") or ctx.resilient_parsing or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        said = did_you_mean(name, self.list_commands(ctx)) or _if_a_model(name)
        raise click.UsageError(f"No such command {name!r}.{said}", ctx)


def option(*names: str, **given: Any) -> Callable[[Any], Any]:
    """click.option, for a group or none."""
    return click.option(*names, cls=Option, **given)


def _ours(option: str) -> str:
    """`--force` is `--overwrite`, and `--json` is `--report json`; nothing where there is nothing like it."""
    from weightbridge.report.render.renderers import RENDERERS  # for those who mistype

    return f"--report {option[2:]}" if option[2:] in RENDERERS else ELSEWHERE.get(option, "")


def _if_a_model(name: str) -> str:
    """For those who begin with the model: `weightbridge model.h5`."""
    if "." not in name:
        return ""
    return f" A command comes first: `weightbridge inspect {name}` says what it is, `check` compares two."
