"""transfer and verify: values moved, and what proves that they arrived."""

from os import PathLike
from typing import Any, get_args

from weightbridge.api.arguments import choice, options_of
from weightbridge.api.types import AnyPath, Arguments, Data, Globs, OnFail, Paths, UserMap
from weightbridge.boundary.checked import path_of, public
from weightbridge.boundary.options import Adapt, Depth, Evidence, FailOn, Progress, silent
from weightbridge.commands.stages.live import transfer_live
from weightbridge.commands.transfer import transfer as transfer_command
from weightbridge.commands.verify import verify as verify_command
from weightbridge.errors import UsageError
from weightbridge.plan import Plan
from weightbridge.report.values import Report


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
    calibrate: Data | None = None,
    depth: Depth | None = None,
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
    baseline: AnyPath | None = None,
    fail_on: FailOn | None = None,
    on_fail: OnFail = "raise",
    source_arguments: Arguments | None = None,
    target_arguments: Arguments | None = None,
    progress: Progress = silent,
) -> Report:
    """Put the source's weights into the target: into the file `output`, or in place into a live model.

    Plans, writes, reads every tensor back bit by bit, and runs both models where both can be run. It is all
    or nothing: on a failure, or a verdict that is no pass, `output` does not appear and a live model has its
    old values.

    output: the file to write; its suffix chooses the format: `.keras`, `.weights.h5`, `.h5`, `.onnx` or
        `.safetensors`. None: in place, for a target that is a live keras.Model; its optimizer is left alone.
    probe: an `.npz` with inputs of your own to run both models on: `x`, batch first, or one array for each
        input by its name, in the dtype and layout of the source.
    evidence: `quick`, `standard` (the default) or `full`: how many probes are run.
    verify: False reads back what was written, and runs no model.
    overwrite: replace `output` where it exists.
    on_fail: `raise` a VerdictError, or `return` the report that says why.
    source, target, plan, map, fresh, unused, adapt, calibrate, depth, min_coverage, map_words,
        disambiguate, dequantize, rules, policy, baseline, fail_on, source_arguments, target_arguments,
        progress: as of `check`.

    Raises VerdictError, with the report as `.report`, unless the transfer passed or warned; what `check`
    raises; UsageError for an `output` that exists or has another suffix; OutputError where it cannot be
    written.

    >>> report = transfer("trained.h5", "mine.keras", "filled.keras")
    >>> report = transfer("trained.h5", model)  # a live keras.Model
    """
    made = options_of(locals(), "source", "target", "output", "on_fail")
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
    baseline: AnyPath | None = None,
    fail_on: FailOn | None = None,
    source_arguments: Arguments | None = None,
    target_arguments: Arguments | None = None,
    progress: Progress = silent,
) -> Report:
    """Run both models on the same probes, and compare their outputs and every matched layer.

    Differences are measured in units of the models' own noise floor: the error between float64 and float32.

    a, b: each a path, `py:package.module:callable`, or a live keras.Model.
    source_arguments, target_arguments: arguments by name for the callables of `a` and of `b`.
    probe, evidence: as of `transfer`.
    rules, policy, baseline, fail_on, progress: as of `check`.

    Raises a ModelError where a model cannot be read; UsageError for a wrong argument. A model that cannot be
    run proves nothing: WB504 stands in `.findings`, and the verdict is `vacuous`.

    >>> verify("trained.h5", "filled.keras", evidence="quick").ok
    """
    return verify_command(a, b, options_of(locals(), "a", "b"))
