"""The options that commands share, in groups, and the Options value that they make."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_args

import click

from weightbridge.boundary.options import Adapt, Depth, Evidence, FailOn, Options, Progress, silent
from weightbridge.cli import parsing
from weightbridge.cli.interface.command import option
from weightbridge.cli.interface.kinds import CODE, FILE, FOLDER, REPORT, OneOf
from weightbridge.report.policy import with_policy
from weightbridge.report.render.renderers import RENDERERS

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]

PLAIN = (
    "fresh",
    "unused",
    "plan",
    "rules",
    "policy",
    "probe",
    "calibrate",
    "overwrite",
    "disambiguate",
    "map_words",
    "dequantize",
    "architecture",
    "engine",
    "input_layout",
    "opset",
)  # the same in Options
# Options has a value of its own for these, or a policy.
UNLESS_GIVEN = ("fail_on", "min_coverage", "adapt", "depth", "evidence", "baseline")

PAIRS = "All pairs of a policy"
MODELS, PLACES, GAPS = "The models", "What goes where", "Where they differ"
PROOF, POLICY, REPORTS = "The proof", "Rules and policy", "The report"


def judging(policy: str, baseline: str) -> tuple[Decorator, ...]:
    """--rules, --policy and --baseline, with what the last two are for."""
    found = "[default: weightbridge.toml or pyproject.toml, upwards]"
    rules = "Matching rules of your own."
    return (
        option("--rules", multiple=True, type=FOLDER, metavar="DIR", group=POLICY, help=rules),
        option("--policy", type=FILE, metavar="FILE.toml", group=POLICY, help=f"{policy} {found}"),
        option("--baseline", type=FILE, metavar="FILE.json", group=POLICY, help=baseline),
    )


REPORTING: tuple[Decorator, ...] = (
    *judging("How strict to be.", "The accepted findings, as `weightbridge baseline` writes them."),
    option(
        "--fail-on",
        type=OneOf(get_args(FailOn)),
        group=POLICY,
        help="What ends with exit code 1. [default: error]",
    ),
    option(
        "--report",
        "reports",
        multiple=True,
        type=REPORT,
        metavar="FORMAT[=PATH]",
        group=REPORTS,
        help=f"{', '.join(RENDERERS)}; to PATH or standard output, and as many as you like. [default: text]",
    ),
    option(
        "--details",
        is_flag=False,
        flag_value="all",
        type=CODE,
        metavar="[=CODE]",
        group=REPORTS,
        help="The text report in full: every tensor and finding, or all of one code.",
    ),
    option("--quiet", is_flag=True, group=REPORTS, help="No text report on standard output."),
    option("--no-progress", is_flag=True, group=REPORTS, help="No progress bar."),
)
PLANNING: tuple[Decorator, ...] = (
    option(
        "--map",
        "pairs",
        multiple=True,
        metavar="SOURCE=TARGET",
        group=PLACES,
        help="These belong together: names of layers or tensors, or globs. Repeatable.",
    ),
    option(
        "--fresh",
        multiple=True,
        metavar="GLOB",
        group=PLACES,
        help="Target tensors that get no source, on purpose. Repeatable.",
    ),
    option(
        "--unused",
        multiple=True,
        metavar="GLOB",
        group=PLACES,
        help="Source tensors that are left over, on purpose. Repeatable.",
    ),
    option(
        "--plan", type=FILE, metavar="FILE", group=PLACES, help="A plan to carry out, instead of a new one."
    ),
    option(
        "--disambiguate",
        is_flag=True,
        group=PLACES,
        help="Run the candidates of an ambiguous match and keep the one that computes the same.",
    ),
    option(
        "--map-words",
        is_flag=True,
        group=PLACES,
        help="Rows that stand for words go to their places in the target's vocabulary.",
    ),
    option(
        "--dequantize",
        is_flag=True,
        group=GAPS,
        help="The floats of a quantised source are wanted, with what quantising has lost.",
    ),
    option(
        "--adapt",
        type=OneOf(get_args(Adapt)),
        group=GAPS,
        help="`none`: equal shapes only. `same`: what differs inside one architecture (head, stem, size). "
        "`weights`: another architecture too. `fit`: another architecture, fitted to inputs. [default: same]",
    ),
    option(
        "--depth",
        type=OneOf(get_args(Depth)),
        group=GAPS,
        help="Blocks that the target has in addition: `identity` where that keeps the function, or copies: "
        "of the `last` one, of all as a `stack`, or each in its place (`interlace`). [default: identity]",
    ),
    option(
        "--calibrate",
        type=FILE,
        metavar="D.npz",
        group=GAPS,
        help="Inputs `x`, batch first: what --adapt fit fits to, and else what BatchNorm's statistics are "
        "computed from where channels are adapted. Labels `y` are only measured on. `noise`: there are none.",
    ),
    option(
        "--min-coverage",
        type=click.FloatRange(0, 1),
        metavar="FRACTION",
        group=GAPS,
        help="Least share of the target's parameters that must arrive exactly, 0 to 1.",
    ),
)
CALIBRATING: tuple[Decorator, ...] = (
    option(
        "--calibrate",
        type=FILE,
        metavar="D.npz",
        required=True,
        group=MODELS,
        help="The inputs: `x`, batch first, or one array for each input by its name.",
    ),
)
PROBING: tuple[Decorator, ...] = (
    option("--probe", type=FILE, metavar="D.npz", group=PROOF, help="Inputs of your own to verify on."),
    option(
        "--evidence",
        type=OneOf(get_args(Evidence)),
        group=PROOF,
        help="How much to run: `quick` for CI, `full` to find out why outputs differ. [default: standard]",
    ),
)
SOURCE_ARGUMENTS: tuple[Decorator, ...] = (
    option(
        "--source-arg",
        multiple=True,
        metavar="K=V",
        group=MODELS,
        help="Argument for a source py:module:callable; JSON, else text. Repeatable.",
    ),
)
TARGET_ARGUMENTS: tuple[Decorator, ...] = (
    option(
        "--target-arg",
        multiple=True,
        metavar="K=V",
        group=MODELS,
        help="Argument for a target py:module:callable; JSON, else text. Repeatable.",
    ),
)
OVERWRITE: tuple[Decorator, ...] = (
    option("--overwrite", is_flag=True, group="The output", help="Replace OUTPUT where it exists."),
)


def with_options(*groups: Sequence[Decorator]) -> Callable[[Command], Command]:
    """Adds the options of these groups to a command, in this order."""

    def decorate(command: Command) -> Command:
        for added in reversed([one for group in groups for one in group]):
            command = added(command)
        return command

    return decorate


def options_from(given: dict[str, Any], progress: Progress = silent) -> Options:
    """The Options of what was given."""
    explicit = frozenset(name for name in UNLESS_GIVEN if given.get(name) is not None)
    plain = {name: given[name] for name in PLAIN if name in given}
    options = Options(
        map=tuple(map(parsing.pair, given.get("pairs", ()))),
        verify=not given.get("no_verify", False),
        input_shape=tuple(map(parsing.shape, given.get("input_shape", ()))),
        source_arguments=parsing.arguments(given.get("source_arg", ()), "--source-arg"),
        target_arguments=parsing.arguments(given.get("target_arg", ()), "--target-arg"),
        progress=progress,
        **plain,
        explicit=explicit,
        **{name: given[name] for name in explicit},
    )
    return with_policy(options)
