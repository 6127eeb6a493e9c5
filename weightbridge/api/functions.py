"""The public functions, with options by the command's names.

On either side stands a path, `py:module:callable` or a live keras.Model.
"""

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, Literal, get_args

from weightbridge import formats
from weightbridge.api.arguments import arguments, choice, make_options
from weightbridge.boundary.checked import path_of, public
from weightbridge.boundary.options import Adapt, Evidence, FailOn, Options, Progress, silent
from weightbridge.commands.check import check as check_command
from weightbridge.commands.inspect import inspect as inspect_command
from weightbridge.commands.live import transfer_live
from weightbridge.commands.plan import hashed_plan
from weightbridge.commands.transfer import transfer as transfer_command
from weightbridge.commands.verify import verify as verify_command
from weightbridge.errors import UsageError
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan
from weightbridge.report.values import Report

AnyPath = str | PathLike[str]
Paths = AnyPath | Iterable[AnyPath]
Globs = str | Iterable[str]
UserMap = Mapping[str, str] | Iterable[tuple[str, str]]
Arguments = Mapping[str, Any]
OnFail = Literal["raise", "return"]


@public
def read(model: Any, *, source_arguments: Arguments | None = None) -> LayerGraph:
    """The layer graph of a model; headers only.

    source_arguments: for the callable of `py:module:callable`. Raises a ModelError for anything that cannot
    be read.
    """
    return formats.read(model, arguments("source_arguments", source_arguments))


@public
def inspect(
    model: Any,
    *,
    rules: Paths = (),
    policy: AnyPath | None = None,
    fail_on: FailOn | None = None,
    source_arguments: Arguments | None = None,
) -> Report:
    """What a model is made of; headers only."""
    return inspect_command(model, _options(locals(), "model"))


@public
def check(
    source: Any,
    target: Any,
    *,
    plan: Plan | AnyPath | None = None,
    map: UserMap = (),
    fresh: Globs = (),
    unused: Globs = (),
    adapt: Adapt | None = None,
    calibrate: AnyPath | None = None,
    min_coverage: float | None = None,
    map_words: bool = False,
    disambiguate: bool = False,
    dequantize: bool = False,
    rules: Paths = (),
    policy: AnyPath | None = None,
    fail_on: FailOn | None = None,
    source_arguments: Arguments | None = None,
    target_arguments: Arguments | None = None,
    progress: Progress = silent,
) -> Report:
    """Match, plan and report; writes nothing.

    map: a dict {source: target} or pairs, of names or globs. fresh, unused: globs, declared on purpose.
    """
    return check_command(source, target, _options(locals(), "source", "target"))


@public
def plan(
    source: Any,
    target: Any,
    *,
    plan: Plan | AnyPath | None = None,
    map: UserMap = (),
    fresh: Globs = (),
    unused: Globs = (),
    adapt: Adapt | None = None,
    calibrate: AnyPath | None = None,
    min_coverage: float | None = None,
    map_words: bool = False,
    disambiguate: bool = False,
    dequantize: bool = False,
    rules: Paths = (),
    policy: AnyPath | None = None,
    fail_on: FailOn | None = None,
    source_arguments: Arguments | None = None,
    target_arguments: Arguments | None = None,
    progress: Progress = silent,
) -> Plan:
    """The plan that `transfer` would carry out; options as of `check`.

    `plan.save(path)` writes it as a lockfile, with the hashes of both models.
    """
    return hashed_plan(source, target, _options(locals(), "source", "target"))


@public
def transfer(
    source: Any,
    target: Any,
    output: AnyPath | None = None,
    *,
    plan: Plan | AnyPath | None = None,
    map: UserMap = (),
    fresh: Globs = (),
    unused: Globs = (),
    adapt: Adapt | None = None,
    calibrate: AnyPath | None = None,
    min_coverage: float | None = None,
    map_words: bool = False,
    disambiguate: bool = False,
    dequantize: bool = False,
    probe: AnyPath | None = None,
    evidence: Evidence | None = None,
    verify: bool = True,
    overwrite: bool = False,
    rules: Paths = (),
    policy: AnyPath | None = None,
    fail_on: FailOn | None = None,
    on_fail: OnFail = "raise",
    source_arguments: Arguments | None = None,
    target_arguments: Arguments | None = None,
    progress: Progress = silent,
) -> Report:
    """Plan, transfer and verify: into the file `output`, or in place into a live model.

    In place it is all or nothing: on a failure, or a verdict that is no pass, the model has its old values.

    plan: a Plan, or the path of one, to carry out instead of a new one. Further options as of `check`.
    Raises VerdictError, with the report as `.report`, unless the transfer passed or warned;
    on_fail="return" returns that report.
    """
    made = _options(locals(), "source", "target", "output", "on_fail")
    choice(*get_args(OnFail))("on_fail", on_fail)
    if output is not None:
        report = transfer_command(source, target, path_of("output", output), made)
    elif isinstance(target, str | PathLike):
        raise UsageError(
            "a target that is a file needs an output", fix="say output=PATH, or give a live keras.Model"
        )
    else:
        report = transfer_live(source, target, made)
    if on_fail == "raise":
        report.raise_for_verdict()
    return report


@public
def verify(
    a: Any,
    b: Any,
    *,
    probe: AnyPath | None = None,
    evidence: Evidence | None = None,
    rules: Paths = (),
    policy: AnyPath | None = None,
    fail_on: FailOn | None = None,
    source_arguments: Arguments | None = None,
    target_arguments: Arguments | None = None,
    progress: Progress = silent,
) -> Report:
    """Run both on the same probes, compare outputs and every matched layer.

    source_arguments are for `a`, target_arguments for `b`.
    """
    return verify_command(a, b, _options(locals(), "a", "b"))


def _options(given: Mapping[str, Any], *apart: str) -> Options:
    """Options from a function's own arguments; None stands for what was not given."""
    return make_options(
        {name: value for name, value in given.items() if name not in apart and value is not None}
    )
