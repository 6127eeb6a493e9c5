"""Feature extraction: a Keras model cut at a named layer, saved as an ordinary model."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.checked import path_of, public
from weightbridge.boundary.options import Options
from weightbridge.commands.rules import rules_of
from weightbridge.commands.stages.reporting import file_entry, summary
from weightbridge.errors import Unsupported
from weightbridge.formats.frameworks import framework_module
from weightbridge.report.values import Report
from weightbridge.report.verdict import judge
from weightbridge.transfer.stage import check_output, publish, staged

RUNNABLE = ("keras-zip", "keras-h5")
SUFFIXES = (".weights.h5", ".keras", ".h5", ".hdf5")


@public
def features(
    model: Any,
    layer: str,
    output: str | PathLike[str],
    *,
    source_arguments: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Any:
    """Write the part of `model` up to `layer` to `output`, and return it as a live keras.Model.

    model: a path, `py:package.module:callable`, or a live keras.Model, which is not changed.
    layer: the name of the last layer to keep, as `inspect` lists it; its output is the new model's.
    output: a `.keras`, `.h5` or `.weights.h5` file, which Keras opens with no weightbridge installed. It
        appears whole or not at all.
    source_arguments: arguments by name for the callable of `py:package.module:callable`.
    overwrite: replace `output` where it exists.

    Raises UsageError for a layer that is not there (with the names nearest to it) and for an `output` that
    exists, unless `overwrite`; Unsupported for what has no graph; OutputError where `output` cannot be
    written.

    >>> extractor = features("filled.keras", "neck", "features.keras")
    >>> extractor.predict(images).shape  # (images, rows, columns, channels) of the layer `neck`
    """
    path = path_of("output", output)
    check_output(path, overwrite, (model,), SUFFIXES)
    return _write_features(model, layer, path, source_arguments)


def features_report(model: Any, layer: str, output: Path, options: Options) -> Report:
    """The command: the same, and the report of what was written."""
    check_output(output, options.overwrite, (model,), SUFFIXES)
    with rules_of(options.rules):
        graph = formats.read(model, options.source_arguments)
    _write_features(model, layer, output, options.source_arguments)
    written = formats.read(output)
    source, target = summary(graph), summary(written)
    report = Report("features", "pass", source, target, findings=graph.findings, wrote=file_entry(output))
    return judge(report, options)


def live_model(model: Any, arguments: Mapping[str, Any] | None = None, done: str = "cut") -> Any:
    """The Keras model of a path or `py:module:callable`, or the model itself.

    done: what is to be done with it, for messages. Raises Unsupported for a file that is no Keras model.
    """
    if isinstance(model, str) and model.startswith("py:"):
        live = framework_module("weightbridge.formats.keras.framework.live")
        return live.load_callable(model, dict(arguments or {}))
    formats.refuse_arguments(arguments)
    if not isinstance(model, str | Path):
        return model
    format = formats.sniff(Path(model))
    if format not in RUNNABLE:
        message = f"a {format} file cannot be {done}: only Keras models with their architecture can"
        fix = "Transfer its weights into a Keras model (weightbridge transfer), and take that"
        raise Unsupported(message, where=str(model), fix=fix)
    return framework_module("weightbridge.formats.keras.framework.load").load(Path(model))


def _write_features(model: Any, layer: str, output: Path, arguments: Mapping[str, Any] | None) -> Any:
    # a framework, loaded when there is something to cut
    live = framework_module("weightbridge.formats.keras.framework.live")
    cutting = framework_module("weightbridge.formats.keras.framework.cuts.cut")
    cut = cutting.cut(live_model(model, arguments), str(layer), _where(model))
    with staged(output) as temporary:
        live.save(cut, temporary)
        publish(temporary, output)
    return cut


def _where(model: Any) -> str:
    return str(model) if isinstance(model, str | Path) else str(getattr(model, "name", "model"))
