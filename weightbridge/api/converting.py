"""convert: an old Keras model as one of Keras 3, a file or a live model."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from weightbridge.api.arguments import choice, options_of
from weightbridge.api.types import AnyPath, Arguments, OnFail, Paths
from weightbridge.boundary.checked import path_of, public
from weightbridge.boundary.options import Engine, Evidence, FailOn, InputLayout, Progress, silent
from weightbridge.commands.convert import convert as convert_command
from weightbridge.formats.frameworks import framework_module


@public
def convert(
    model: Any,
    output: AnyPath | None = None,
    *,
    architecture: AnyPath | None = None,
    engine: Engine | None = None,
    input_layout: InputLayout | None = None,
    opset: int | None = None,
    input_shape: Sequence[Any] | None = None,
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
    progress: Progress = silent,
) -> Any:
    """Write a model of any Keras, or ONNX, as one that Keras 3 loads, or as ONNX, and return the Report.

    Without an output, return the live keras.Model instead. What is written is read back, loaded by Keras, and
    compared with what the model computed when it was saved. `output` appears whole or not at all.

    output: the file to write, `.keras`, `.h5` or `.onnx`. None: the live model, which needs Keras.
    architecture: where `model` holds weights alone, the file with its architecture: JSON, `.h5` or `.keras`.
    engine: who writes an ONNX file: `own` (the default), or `tf2onnx` for layers that `own` does not know.
    input_layout: of an ONNX file's images: `nhwc` as in Keras, or `nchw`; of a Keras model from ONNX `nchw`
        keeps the order of the file.
    opset: the version of ONNX's operators, 17 unless told.
    input_shape: of a torch module that comes without an example: the shape of its input, or one for each.
    dequantize: the floats of a quantised source are wanted, with what quantising has lost.
    probe: an `.npz` with inputs of your own to run both on.
    evidence: `quick`, `standard` (the default) or `full`: how many probes are run.
    verify: False reads back what was written, and runs no model.
    overwrite: replace `output` where it exists.
    on_fail: `raise` a VerdictError, or `return` the report that says why.
    model: as of `check`, a torch.nn.Module, or a pair of that and its example inputs: a tensor, a tuple of
    them, or a dict by the names of `forward`'s parameters.
    rules, policy, baseline, fail_on, source_arguments, progress: as of `check`.

    Raises VerdictError, with the report as `.report`, unless the conversion passed or warned; Unsupported for
    what Keras 3 has no layer for; UnsafeContent for a Lambda; UsageError for an `output` that exists;
    OutputError where it cannot be written.

    >>> report = convert("trained.h5", "converted.keras")
    >>> model = convert("trained.h5")  # a live keras.Model
    """
    made = options_of(locals(), "model", "output", "on_fail")
    choice(*get_args(OnFail))("on_fail", on_fail)
    if output is None:
        return _live(model, made, on_fail)
    report = convert_command(model, path_of("output", output), made)
    if on_fail == "raise":
        report.raise_for_verdict()
    return report


def _live(model: Any, made: Any, on_fail: OnFail) -> Any:
    """Loaded from a file that does not stay; the report instead where nothing was written."""
    with TemporaryDirectory(prefix="weightbridge-") as folder:
        path = Path(folder) / "converted.keras"
        report = convert_command(model, path, made)
        if on_fail == "raise":
            report.raise_for_verdict()
        if not path.exists():
            return report
        return framework_module("weightbridge.formats.keras.framework.load").load(path)
