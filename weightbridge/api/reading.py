"""read and inspect: what one model is made of."""

from typing import Any

from weightbridge import formats
from weightbridge.api.arguments import arguments, options_of
from weightbridge.api.types import AnyPath, Arguments, Paths
from weightbridge.boundary.checked import public
from weightbridge.boundary.options import FailOn
from weightbridge.commands.inspect import inspect as inspect_command
from weightbridge.model.graph import LayerGraph
from weightbridge.report.values import Report


@public
def read(model: Any, *, source_arguments: Arguments | None = None) -> LayerGraph:
    """The layers of a model with their tensors, joined by data flow where the file tells it.

    Reads headers only: shapes and dtypes are known, and a tensor's values come with `tensor.load()`, a numpy
    array in the file's own layout.

    model: a path, whose format is recognised by its content, `py:package.module:callable`, or a live
        keras.Model.
    source_arguments: arguments by name for the callable of `py:package.module:callable`.

    Raises a ModelError for what cannot be read: MissingFile, Corrupt, Unsupported, UnsafeContent,
    ExternalReference or ResourceBomb; UsageError for a wrong argument.

    >>> graph = read("model.h5")
    >>> [(tensor.name, tensor.shape, tensor.dtype) for tensor in graph.tensors]
    """
    return formats.read(model, arguments("source_arguments", source_arguments))


@public
def inspect(
    model: Any,
    *,
    rules: Paths = (),
    policy: AnyPath | None = None,
    baseline: AnyPath | None = None,
    fail_on: FailOn | None = None,
    source_arguments: Arguments | None = None,
) -> Report:
    """The report on one model: format, version, layers, tensors, shapes, dtypes and findings.

    Reads headers only and imports no framework, but for a `py:` or a live model.

    model, source_arguments: as of `read`.
    rules: folders with matching rules of your own.
    policy: a TOML file with severities, `min_coverage` and `fail_on`. baseline: as of `check`.
    fail_on: `error` (the default), `warning` or `never`: from what severity on the verdict is `fail`.

    Raises a ModelError for what cannot be read; UsageError for a wrong argument, rule or policy.
    """
    return inspect_command(model, options_of(locals(), "model"))
