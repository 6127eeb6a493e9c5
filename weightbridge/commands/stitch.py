"""stitch: the trunk of one trained model under the tail of another, joined by a trainable adapter."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.checked import path_of, public
from weightbridge.boundary.options import Options
from weightbridge.commands.features import live_model
from weightbridge.commands.reporting import file_entry, summary
from weightbridge.commands.rules import rules_of
from weightbridge.errors import UsageError
from weightbridge.formats.frameworks import framework_module
from weightbridge.report.values import Report
from weightbridge.report.verdict import judge
from weightbridge.transfer.stage import check_output, publish, staged


@public
def stitch(
    source: Any,
    at: str,
    target: Any,
    from_: str = "",
    *,
    after: str = "",
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
    source_arguments: Mapping[str, Any] | None = None,
    target_arguments: Mapping[str, Any] | None = None,
) -> Any:
    """A functional Keras model: `source` up to layer `at`, a fitting adapter, then the tail of `target`.

    The adapter's layers are called `stitch_...`: average pooling, upsampling or bilinear resizing for the
    grid; a 1x1 convolution or Dense layer for the channels, initialised like an identity that preserves
    variance. Feature maps, sequences and vectors may meet in any combination.

    source, target: a path, `py:package.module:callable`, or a live keras.Model (which is copied, never
        changed).
    at: the last layer of the source that is kept, by its name.
    from_: the first layer of the target's tail.
    after: instead of `from_`, the layer before the tail: the last of a block, such as a merge that reads
        several branches.
    output: where to save the model as `.keras`; `keras.models.load_model` opens it without weightbridge.
    overwrite: replace `output` where it exists.
    source_arguments, target_arguments: arguments by name for the callables of `py:` models.

    Raises UsageError where a layer does not exist or cannot be cut at, and for an `output` that exists
    (unless `overwrite`) or is no `.keras`; ModelError where a model cannot be read, OutputError where
    `output` cannot be written.

    >>> model = stitch("backbone.keras", "conv4_block6_out", "detector.keras", after="mixed8")
    """
    _refuse_both(from_, after)
    path = None if output is None else path_of("output", output)
    if path is not None:
        _check(path, overwrite, (source, target))
    trunk, tail = live_model(source, source_arguments), live_model(target, target_arguments)
    model = _joined(trunk, at, tail, from_, after)
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
    _save(_joined(live_model(source, options.source_arguments), at, ours, *place), output)
    findings = (*trunk.findings, *tail.findings)
    sides = summary(trunk), summary(tail)
    return judge(Report("stitch", "pass", *sides, findings=findings, wrote=file_entry(output)), options)


def _joined(source: Any, at: str, target: Any, from_: str, after: str) -> Any:
    keras_stitch = framework_module("weightbridge.formats.keras.framework.stitch")
    return keras_stitch.stitched(source, str(at), target, str(from_), str(after))


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
