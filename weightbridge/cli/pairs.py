"""--config: a command over all pairs of a policy."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from weightbridge.boundary.files import make_folder
from weightbridge.boundary.options import Options
from weightbridge.cli.console import complain
from weightbridge.cli.interface.command import option
from weightbridge.cli.interface.kinds import FILE
from weightbridge.cli.options import PAIRS
from weightbridge.cli.parsing import requests
from weightbridge.cli.running import run
from weightbridge.report.pairs import PairsReport
from weightbridge.report.policy import Policy, load_policy
from weightbridge.report.render.pairs import TOGETHER

Action = Callable[[Policy, Options, Callable[[str], None]], PairsReport]
OF_A_PAIR = {"plan": "--plan", "pairs": "--map", "fresh": "--fresh", "unused": "--unused"}
CONFIG = option(
    "--config",
    type=FILE,
    metavar="FILE.toml",
    group=PAIRS,
    help="A policy, all [[pair]]s of which are done in one run, in place of SOURCE and TARGET.",
)


def run_pairs(
    command: str, config: Path, models: Sequence[str | Path | None], given: dict[str, Any], action: Action
) -> int:
    """The reports that are asked for here, and those of the policy's table [report].

    models: those of the command line, which has none beside --config.
    """
    if any(model is not None for model in models):
        raise click.UsageError("--config names the models itself, in its [[pair]]s: give one or the other")
    named = [flag for name, flag in OF_A_PAIR.items() if given.get(name)]
    if named:
        raise click.UsageError(f"{named[0]} is about one pair: say it in its [[pair]] of {config}")
    policy = load_policy(config)
    paths = [path for pair in policy.pairs for path in (pair.source, pair.target)]
    told = {**given, "policy": given["policy"] or config, "reports": _reports(policy, given["reports"])}
    return run(command, told, lambda options: action(policy, options, complain), ("", *paths))


def _reports(policy: Policy, given: Sequence[str]) -> tuple[str, ...]:
    """Text where nothing is asked for, and each format of the policy that is not asked for otherwise."""
    asked = {request.format for request in requests(given)}
    alone = sorted({*asked, *policy.reports} - TOGETHER.keys())
    if alone:
        raise click.UsageError(f"--report {alone[0]} shows one pair of models, and --config checks several")
    own = {format: path for format, path in policy.reports.items() if format not in asked}
    for path in own.values():
        make_folder(path.parent)
    return (*(given or ("text",)), *(f"{format}={path}" for format, path in own.items()))


def needed(**arguments: Any) -> None:
    """Raises click's own error for arguments that only --config can do without."""
    missing = next((name for name, value in arguments.items() if value is None), None)
    if missing:
        raise click.MissingParameter(param_hint=f"'{missing}'", param_type="argument")
