"""The table of commands; each is imported when it is called, so that help costs nothing."""

from importlib import import_module
from typing import TYPE_CHECKING

import click

from weightbridge.cli.interface.command import Group
from weightbridge.version import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: dict[str, tuple[str, str]] = {
    "inspect": (
        "weightbridge.cli.inspect",
        "The layers, tensors and findings of a model, as text or as a picture.",
    ),
    "check": ("weightbridge.cli.check", "Match two models, plan the transfer and report; write no model."),
    "plan": ("weightbridge.cli.plan", "The same, and write the plan: a lockfile to review and edit."),
    "transfer": ("weightbridge.cli.transfer", "Plan, write OUTPUT, read it back and verify it."),
    "verify": ("weightbridge.cli.verify", "Run both models on the same probes and compare."),
    "convert": ("weightbridge.cli.convert", "Another format or dialect of the same model, verified."),
    "features": ("weightbridge.cli.features", "Cut a model at a layer, as a feature extractor."),
    "stitch": ("weightbridge.cli.stitch", "The trunk of one model under the tail of another, joined."),
    "advise": ("weightbridge.cli.advise", "What a model's features tell of labels; how to train it further."),
    "recalibrate": ("weightbridge.cli.recalibrate", "BatchNorm statistics computed from your inputs."),
    "report": ("weightbridge.cli.report", "Render a saved report, or judge it under another policy."),
    "baseline": ("weightbridge.cli.baseline", "The findings that are accepted, each with a reason."),
    "rules": (
        "weightbridge.cli.rules",
        "List, explain and test the matching rules and the codes of findings.",
    ),
    "demo": ("weightbridge.cli.demo", "The main job on real digits, in under two minutes."),
}


FIRST = "Begin with `weightbridge check SOURCE TARGET`: it reads headers only and writes nothing."


class LazyGroup(Group):
    """A group whose commands are imported by name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`--details` alone means all: click would take the next argument for its code."""
        return super().parse_args(ctx, ["--details=all" if text == "--details" else text for text in args])

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Click's own would import every command for its help."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=summary)
            for name, (_, summary) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Click's own would import every command for its help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=FIRST,
    no_args_is_help=True,
)
@click.version_option(__version__, prog_name="weightbridge")
def cli() -> None:
    """Move pre-trained weights into the model you have, and prove that they arrived.

    A MODEL is a path, its format recognised by its content, or py:package.module:callable.
    """
