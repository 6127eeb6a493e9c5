"""recalibrate: BatchNorm statistics from inputs, in a file or in a live model."""

from os import PathLike
from typing import Any, get_args

from weightbridge.api.arguments import choice, options_of
from weightbridge.api.types import AnyPath, Arguments, Data, OnFail, Paths
from weightbridge.boundary.checked import path_of, public
from weightbridge.boundary.options import FailOn, Progress, silent
from weightbridge.commands.recalibrate import recalibrate as recalibrate_command
from weightbridge.commands.recalibrate import recalibrate_live
from weightbridge.errors import UsageError
from weightbridge.report.values import Report


@public
def recalibrate(
    model: Any,
    output: AnyPath | None = None,
    *,
    calibrate: Data,
    overwrite: bool = False,
    rules: Paths = (),
    policy: AnyPath | None = None,
    baseline: AnyPath | None = None,
    fail_on: FailOn | None = None,
    on_fail: OnFail = "raise",
    source_arguments: Arguments | None = None,
    progress: Progress = silent,
) -> Report:
    """Compute the mean and variance of every BatchNormalization from inputs; all else stays bit for bit.

    Exact for inference: of all inputs, in float64, each norm after those before it have their new values. No
    labels are needed. After channels were cropped or repeated, this is most of what can be repaired without
    training.

    model: a path, `py:package.module:callable`, or a live keras.Model.
    output: the file to write: `.keras`, `.h5` or `.weights.h5`. None: in place, for a live keras.Model.
    calibrate: an `.npz` with `x`, batch first, or one array for each input by its name; or these arrays
        themselves: one array, or a dict. 200 inputs are plenty for images.
    overwrite: replace `output` where it exists.
    on_fail: `raise` a VerdictError, or `return` the report that says why.
    rules, policy, baseline, fail_on, source_arguments, progress: as of `check`.

    Raises UsageError for inputs that do not fit the model, or a model without BatchNormalization; RunError
    where it cannot run or a statistic is not finite; a ModelError where it cannot be read; OutputError where
    `output` cannot be written.

    >>> report = recalibrate(model, calibrate=images)  # a live keras.Model, in place
    >>> report = recalibrate("mine.keras", "recalibrated.keras", calibrate="inputs.npz")
    """
    made = options_of(locals(), "model", "output", "on_fail")
    choice(*get_args(OnFail))("on_fail", on_fail)
    if output is not None:
        report = recalibrate_command(model, path_of("output", output), made)
    elif isinstance(model, str | PathLike):
        raise UsageError(
            "a model that is a file needs an output", fix="say output=PATH, or give a live keras.Model"
        )
    else:
        report = recalibrate_live(model, made)
    if on_fail == "raise":
        report.raise_for_verdict()
    return report
