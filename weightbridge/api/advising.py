"""advise: what a model's features tell of labels, and how to train it further."""

from typing import Any

from weightbridge.api.arguments import options_of
from weightbridge.api.types import AnyPath, Arguments, Data, Paths
from weightbridge.boundary.checked import public
from weightbridge.boundary.options import FailOn, Progress, silent
from weightbridge.commands.advise import advise as advise_command
from weightbridge.report.values import Report


@public
def advise(
    model: Any,
    *,
    data: Data,
    rules: Paths = (),
    policy: AnyPath | None = None,
    baseline: AnyPath | None = None,
    fail_on: FailOn | None = None,
    source_arguments: Arguments | None = None,
    progress: Progress = silent,
) -> Report:
    """Score the features at each cut of a model, and say how to train it further on such labels.

    LogME (You et al. 2021), the regularised H-score (Ibrahim et al. 2021) and a cross-validated ridge probe
    with its accuracy, in one forward pass: they stand in `.verification.evidence["advice"]["cuts"]`, those of
    the raw inputs first. They are information; the advice is the head first, then everything by small steps.
    `freeze(model, report)` sets the first phase; weightbridge.keras has callbacks for both.

    model: a path, `py:package.module:callable`, or a live keras.Model.
    data: an `.npz` with `x`, batch first (or one array for each input by its name), and `y`, the labels:
        classes as numbers, texts or one-hot, or values to predict. Or a dict of these arrays.
    rules, policy, baseline, fail_on, source_arguments, progress: as of `check`.

    Raises UsageError for data that do not fit, or have no labels; Unsupported for a model without data flow;
    RunError where it cannot run; a ModelError where it cannot be read.

    >>> report = advise(model, data={"x": images, "y": labels})
    >>> freeze(model, report)
    """
    return advise_command(model, data, options_of(locals(), "model", "data"))
