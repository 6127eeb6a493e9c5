"""What a conversion reads where code gives the model: a Keras model, or a torch module's ONNX file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.boundary.records import dataclass
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import Finding
from weightbridge.formats import FORMATS
from weightbridge.formats.code import call, is_code
from weightbridge.formats.frameworks import framework_module
from weightbridge.formats.running import Runner
from weightbridge.formats.torch.modules.kinds import has_module
from weightbridge.report.values import Report

EXPORTED = "weightbridge.formats.torch.modules.exported"


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """A model that can be read: a file, or a live Keras model.

    name: what the user calls it, where that is not what is read. producer: the same of what made it.
    reference: a runner of what was given, where that is not what is read.
    frozen: the names of tensors that training does not change.
    """

    model: Any
    options: Options
    name: str = ""
    producer: str = ""
    findings: tuple[Finding, ...] = ()
    reference: Callable[[str], Runner] | None = None
    frozen: frozenset[str] = frozenset()


@contextmanager
def opened(model: Any, options: Options, suffix: str) -> Iterator[Given]:
    """Code is called once. A torch module's file goes when the context ends, and its modes are as they were.

    suffix: of what it becomes.

    Raises UsageError for --input-shape of another model.
    """
    live = call(model, options.source_arguments) if is_code(model) else model
    if has_module(live):
        with _exported(live, model, options, suffix) as given:
            yield given
        return
    _refuse_shapes(model, options)
    if is_code(model):
        live = framework_module(FORMATS["python"]).as_model(live, model)
        yield Given(live, replace(options, source_arguments={}), model)
    else:
        yield Given(model, options)


@contextmanager
def _exported(live: Any, model: Any, options: Options, suffix: str) -> Iterator[Given]:
    module = live[0] if isinstance(live, tuple) else live
    name = model if is_code(model) else type(module).__name__
    plain = replace(options, source_arguments={}, opset=None)
    with TemporaryDirectory(prefix="weightbridge-") as folder:
        path, engine = Path(folder) / "module.onnx", framework_module(EXPORTED)
        asked = engine.Asked(options.input_shape, options.opset, suffix != ".onnx")
        with engine.exported(live, asked, path, name) as made:
            yield Given(path, plain, name, made.producer, made.findings, made.reference, made.frozen)


def named(report: Report, given: Given) -> Report:
    """The source by the name that the user gave it, not by that of a temporary file."""
    source = report.source
    if not given.name or source is None:
        return report
    producer = given.producer or source.producer
    return replace(report, source=replace(source, path=given.name, format="python", producer=producer))


def _refuse_shapes(model: Any, options: Options) -> None:
    if options.input_shape:
        where = str(model) if isinstance(model, str | Path) else type(model).__name__
        message = "--input-shape is for a torch module, which does not say what its inputs are"
        raise UsageError(message, where=where, fix="leave out --input-shape")
