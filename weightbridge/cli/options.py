"""The options that commands share, in groups, and the Options value that they make."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from weightbridge.boundary.options import Adapt, Evidence, FailOn, Options, Progress, silent
from weightbridge.cli import parsing

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]
FILE = click.Path(path_type=Path)

PLAIN = (
    "fresh",
    "unused",
    "adapt",
    "plan",
    "rules",
    "policy",
    "evidence",
    "probe",
    "overwrite",
    "disambiguate",
    "map_words",
)  # the same in Options

REPORTING: tuple[Decorator, ...] = (
    click.option(
        "--report",
        "reports",
        multiple=True,
        metavar="FORMAT[=PATH]",
        help="text, json, json:lean, markdown, comment, html, junit, github, sarif, gitlab. [default: text]",
    ),
    click.option(
        "--details",
        is_flag=False,
        flag_value="all",
        metavar="[=CODE]",
        help="The text report in full: every tensor and finding, or all of one code.",
    ),
    click.option("--rules", multiple=True, type=FILE, metavar="DIR", help="Matching rules of your own."),
    click.option("--policy", type=FILE, metavar="FILE.toml", help="Severities, min_coverage and fail_on."),
    click.option(
        "--fail-on", type=click.Choice(get_args(FailOn)), help="What ends with exit code 1. [default: error]"
    ),
    click.option("--quiet", is_flag=True, help="No text report on standard output."),
    click.option("--no-progress", is_flag=True, help="No progress bar."),
)
PLANNING: tuple[Decorator, ...] = (
    click.option("--plan", type=FILE, metavar="FILE", help="A plan to carry out, instead of a new one."),
    click.option(
        "--map", "pairs", multiple=True, metavar="SOURCE=TARGET", help="These belong together (globs)."
    ),
    click.option(
        "--fresh", multiple=True, metavar="GLOB", help="Target tensors that get no source, on purpose."
    ),
    click.option(
        "--unused", multiple=True, metavar="GLOB", help="Source tensors that are left over, on purpose."
    ),
    click.option(
        "--adapt",
        type=click.Choice(get_args(Adapt)),
        default="same",
        help="Where shapes differ: `same` within one architecture, `weights` across two. [default: same]",
    ),
    click.option("--calibrate", type=FILE, metavar="D.npz", help="Inputs for --adapt fit."),
    click.option(
        "--min-coverage",
        type=click.FloatRange(0, 1),
        help="Least fraction of the target's parameters to transfer.",
    ),
    click.option(
        "--map-words",
        is_flag=True,
        help="Rows that stand for words go to their places in the target's vocabulary.",
    ),
    click.option("--disambiguate", is_flag=True, help="Try the candidates of an ambiguous match."),
)
PROBING: tuple[Decorator, ...] = (
    click.option("--probe", type=FILE, metavar="D.npz", help="Inputs of your own to verify on."),
    click.option(
        "--evidence",
        type=click.Choice(get_args(Evidence)),
        default="standard",
        show_default=True,
        help="How much to run.",
    ),
)
SOURCE_ARGUMENTS: tuple[Decorator, ...] = (
    click.option(
        "--source-arg",
        multiple=True,
        metavar="K=V",
        help="Argument for a source py:module:callable; JSON, else text.",
    ),
)
TARGET_ARGUMENTS: tuple[Decorator, ...] = (
    click.option(
        "--target-arg",
        multiple=True,
        metavar="K=V",
        help="Argument for a target py:module:callable; JSON, else text.",
    ),
)
OVERWRITE: tuple[Decorator, ...] = (
    click.option("--overwrite", is_flag=True, help="Replace OUTPUT where it exists."),
)


def with_options(*groups: Sequence[Decorator]) -> Callable[[Command], Command]:
    """Adds the options of these groups to a command, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorate


def options_from(given: dict[str, Any], progress: Progress = silent) -> Options:
    """The Options of what was given."""
    _refuse_what_is_not_there(given)
    explicit = frozenset(name for name in ("fail_on", "min_coverage") if given.get(name) is not None)
    plain = {name: given[name] for name in PLAIN if name in given}
    return Options(
        map=tuple(map(parsing.pair, given.get("pairs", ()))),
        verify=not given.get("no_verify", False),
        source_arguments=parsing.arguments(given.get("source_arg", ()), "--source-arg"),
        target_arguments=parsing.arguments(given.get("target_arg", ()), "--target-arg"),
        progress=progress,
        **plain,
        explicit=explicit,
        **{name: given[name] for name in explicit},
    )


def _refuse_what_is_not_there(given: dict[str, Any]) -> None:
    """Options of the interface that this version knows and cannot serve."""
    if given.get("calibrate") and given.get("adapt") != "fit":
        raise click.UsageError("--calibrate goes with --adapt fit")
    if given.get("adapt") == "fit":
        raise click.UsageError(
            "--adapt fit is not in this version yet: use --adapt weights, which needs no data"
        )
