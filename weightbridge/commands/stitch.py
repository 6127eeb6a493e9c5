"""stitch: the trunk of one trained model under the tail of another, joined by a trainable adapter."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.checked import path_of, public
from weightbridge.boundary.options import Options
from weightbridge.commands.features import live_model
from weightbridge.commands.rules import rules_of
from weightbridge.commands.stages.reporting import file_entry, summary
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.frameworks import framework_module
from weightbridge.report.values import Report
from weightbridge.report.verdict import judge
from weightbridge.report.verification import Verification
from weightbridge.transfer.stage import check_output, publish, staged

POOR = 0.5


@public
def stitch(
    source: Any,
    at: str,
    target: Any,
    from_: str = "",
    *,
    after: str = "",
    calibrate: Any = None,
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
    source_arguments: Mapping[str, Any] | None = None,
    target_arguments: Mapping[str, Any] | None = None,
) -> Any:
    """A functional Keras model: `source` up to layer `at`, a fitting adapter, then the tail of `target`.

    The adapter's layers are called `stitch_...`: average pooling, upsampling or bilinear resizing for the
    grid; a 1x1 convolution or Dense layer for the channels, initialised like an identity that preserves
    variance, or fitted by least squares where inputs are given. Feature maps, sequences and vectors may
    meet in any combination.

    source, target: a path, `py:package.module:callable`, or a live keras.Model (which is copied, never
        changed).
    at: the last layer of the source that is kept, by its name.
    from_: the first layer of the target's tail.
    after: instead of `from_`, the layer before the tail: the last of a block, such as a merge that reads
        several branches.
    calibrate: inputs that both models take, an `.npz` with `x` or the arrays themselves: the channels are
        fitted so that the tail reads what it reads in the target. Warns where less than half of that is met.
    output: where to save the model as `.keras`; `keras.models.load_model` opens it without weightbridge.
    overwrite: replace `output` where it exists.
    source_arguments, target_arguments: arguments by name for the callables of `py:` models.

    Raises UsageError where a layer does not exist or cannot be cut at, for inputs that do not fit, and for an
    `output` that exists (unless `overwrite`) or is no `.keras`; ModelError where a model cannot be read,
    OutputError where `output` cannot be written.

    >>> model = stitch("backbone.keras", "conv4_block6_out", "detector.keras", after="mixed8")
    """
    _refuse_both(from_, after)
    path = None if output is None else path_of("output", output)
    if path is not None:
        _check(path, overwrite, (source, target))
    trunk, tail = live_model(source, source_arguments), live_model(target, target_arguments)
    model, fitted = _joined(trunk, at, tail, (from_, after), calibrate)
    for found in _said(fitted):
        if found.code == "WB308":
            warnings.warn(found.message, UserWarning, stacklevel=3)
    if path is not None:
        _save(model, path)
    return model


def stitch_report(
    source: str, at: str, target: str, from_: str, output: Path, options: Options, *, is_after: bool
) -> Report:
    """The command: the model in `output`, and the report of what it was made of."""
    _check(output, options.overwrite, (source, target))
    with rules_of(options.rules):
        trunk = formats.read(source, options.source_arguments)
        tail = formats.read(target, options.target_arguments)
    ours = live_model(target, options.target_arguments)
    place = ("", from_) if is_after else (from_, "")
    theirs = live_model(source, options.source_arguments)
    model, fitted = _joined(theirs, at, ours, place, options.calibrate)
    _save(model, output)
    report = Report(
        "stitch",
        "pass",
        summary(trunk),
        summary(tail),
        findings=(*trunk.findings, *tail.findings, *_said(fitted)),
        verification=Verification("none", evidence={"fitted": asdict(fitted)} if fitted else {}),
        wrote=file_entry(output),
    )
    return judge(report, options)


def _joined(source: Any, at: str, target: Any, place: tuple[str, str], data: Any) -> tuple[Any, Any]:
    """The model, and how well its channels were fitted."""
    keras_stitch = framework_module("weightbridge.formats.keras.framework.cuts.stitch")
    model, fitted = keras_stitch.stitched(source, str(at), target, *map(str, place), data)
    return model, fitted


def _said(fitted: Any) -> Iterator[Finding]:
    """How well the adapter stands in for what the tail was trained on; WB308 below half of it."""
    if fitted is None:
        return
    share = f"R2 {fitted.r2:.3f} on inputs held out of {fitted.inputs:,}"
    yield finding("WB312", f"{fitted.layer} was fitted by least squares: {share}", target=fitted.layer)
    if fitted.r2 < POOR:
        message = f"{fitted.layer}: {share}: less than half of what the tail reads in the target is met"
        fix = "Cut elsewhere, give more inputs, or train the joined model"
        yield finding("WB308", message, target=fitted.layer, fix=fix)


def _refuse_both(from_: str, after: str) -> None:
    if bool(from_) == bool(after):
        message = "the tail begins at one place of the target: from_ or after"
        raise UsageError(
            message, fix="give from_, the first layer of the tail, or after, the layer before it"
        )


def _save(model: Any, output: Path) -> None:
    with staged(output) as temporary:
        framework_module("weightbridge.formats.keras.framework.live").save(model, temporary)
        publish(temporary, output)


def _check(output: Path, overwrite: bool, models: tuple[Any, ...]) -> None:
    """Before the work begins."""
    check_output(output, overwrite, models)
    if output.suffix != ".keras":
        raise UsageError(
            "a stitched model is saved as .keras",
            where=str(output),
            fix="give output a name that ends in .keras",
        )
