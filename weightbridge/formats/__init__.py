"""The table of formats: which module reads, writes and runs a model, recognised by its content."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from weightbridge.errors import Corrupt, ModelError, Unsupported
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.arguments import refuse_arguments
from weightbridge.formats.frameworks import framework_module
from weightbridge.formats.running import InputSpec, Runner
from weightbridge.formats.sniffing.content import sniff
from weightbridge.formats.sniffing.folders import Inside, model_file, model_in
from weightbridge.formats.sniffing.suffixes import suffix_findings
from weightbridge.formats.state import without_state
from weightbridge.formats.streamed import Value
from weightbridge.formats.templates import template_for, template_of
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor

__all__ = [
    "FORMATS",
    "RUNNERS",
    "InputSpec",
    "Runner",
    "apart",
    "completed",
    "is_summed",
    "read",
    "refuse_arguments",
    "refuse_to_run",
    "runner",
    "sniff",
    "template_for",
    "template_of",
    "write",
    "write_words",
]

FORMATS: dict[str, str] = {
    "keras-zip": "weightbridge.formats.keras.zip",
    "keras-weights-h5": "weightbridge.formats.keras.weights_h5",
    "keras-h5": "weightbridge.formats.keras.h5",
    "keras-h5-weights": "weightbridge.formats.keras.h5",
    "keras-json": "weightbridge.formats.keras.json",
    "onnx": "weightbridge.formats.onnx.file",
    "tflite": "weightbridge.formats.tflite.file",
    "safetensors": "weightbridge.formats.safetensors.file",
    "torch-zip": "weightbridge.formats.torch.zip",
    "torch-legacy": "weightbridge.formats.torch.legacy",
    "tf-checkpoint": "weightbridge.formats.tensorflow.checkpoint.file",
    "saved-model": "weightbridge.formats.tensorflow.saved_model.file",
    "tf-graph": "weightbridge.formats.tensorflow.graphs.file",
    "python": "weightbridge.formats.keras.framework.live",
}
RUNNERS: dict[str, str] = {
    "keras-zip": "weightbridge.formats.keras.framework.runs.run",
    "keras-h5": "weightbridge.formats.keras.framework.runs.run",
    "python": "weightbridge.formats.keras.framework.runs.run",
    "onnx": "weightbridge.formats.onnx.running.run",
    "tflite": "weightbridge.formats.tflite.running",
    "tf-graph": "weightbridge.formats.tensorflow.graphs.running",
    "saved-model": "weightbridge.formats.tensorflow.graphs.running",
}
SUMMED = frozenset({"keras-zip", "keras-h5", "keras-h5-weights"})  # whose writers sum up what they write
ASKABLE = frozenset({"safetensors", "torch-zip", "torch-legacy"})  # whose readers take arguments


def read(model: Any, arguments: Mapping[str, Any] | None = None) -> LayerGraph:
    """The layer graph of a path, `py:package.module:callable` or a live model.

    No weight's bytes are read.

    arguments: keyword arguments for the callable, or what is asked of a state dict.
    Raises a ModelError for anything that cannot be read.
    """
    path = _path(model)
    if path is None:
        live = _live(model, arguments)
        graph: LayerGraph = framework_module(FORMATS["python"]).read(live)
        return replace(graph, path=model) if isinstance(model, str) else graph
    inside = model_in(path)
    path = path if inside is None else inside.file
    return completed(_graph_of(path, arguments), path, _others_in_folder(inside))


def completed(graph: LayerGraph, path: Path, said: Iterable[Finding] = ()) -> LayerGraph:
    """What a reader made of a file, as `read` gives it. Raises Corrupt for names that no framework writes.

    said: of the folder around it.
    """
    _refuse_nul(graph)
    graph = without_state(graph)
    return replace(graph, findings=(*suffix_findings(path, graph.format), *said, *graph.findings))


def _graph_of(path: Path, arguments: Mapping[str, Any] | None) -> LayerGraph:
    """What the file's reader makes of it; an error names the file."""
    format = sniff(path)
    asked = (arguments,) if format in ASKABLE else ()
    if not asked:
        refuse_arguments(arguments)
    try:
        graph: LayerGraph = _module(FORMATS, format, path).read(path, *asked)
        return graph
    except ModelError as error:
        if path.name in error.where:
            raise
        where = f"{path}: {error.where}" if error.where else str(path)
        raise type(error)(error.message, where=where, fix=error.fix) from error


def _others_in_folder(inside: Inside | None) -> tuple[Finding, ...]:
    """WB108 where a folder has the same model in other formats too."""
    if inside is None or not inside.others:
        return ()
    message = f"read {inside.file.name}; the folder holds {', '.join(inside.others)} as well"
    return (finding("WB108", message, fix="Give the path of the file itself for another one"),)


def _refuse_nul(graph: LayerGraph) -> None:
    """Raises Corrupt for a name with a zero character, which no framework writes."""
    names = (*(layer.name for layer in graph.layers), *(tensor.name for tensor in graph.tensors))
    named = next((name for name in names if "\0" in name), None)
    if named is not None:
        raise Corrupt(
            f"the name {named!r} has a zero character in it",
            where=graph.path,
            fix="Rename it, or save the model again",
        )


def apart(graph: LayerGraph, again: Collection[str] = ()) -> LayerGraph:
    """The graph of a file whose exporter merges equal tensors, with one for each layer that reads it.

    again: layers that call others again, which are to have their own too. `write` gives them these.
    """
    if graph.format != "onnx":
        return graph
    found: LayerGraph = _module(FORMATS, "onnx", graph.path).apart(graph, again)
    return found


def write(template: LayerGraph, output: Path, values: Iterable[tuple[Tensor, Value]]) -> int | None:
    """Copy the template's file to `output` and replace the bytes of the given tensors in their order.

    Shapes and dtypes are the template's; everything else in the file stays as it is.
    The CRC-32 that the file's bytes must have then, where `is_summed`.
    """
    module = _module(FORMATS, template.format, Path(template.path))
    checksum: int | None = module.write(template, output, values)
    return checksum


def is_summed(template: LayerGraph) -> bool:
    """Whether `write` tells what all bytes of the file must be."""
    if template.format not in SUMMED:
        return False
    found: bool = _module(FORMATS, template.format, Path(template.path)).is_summed(template)
    return found


def write_words(template: LayerGraph, output: Path, words: Mapping[str, tuple[str, ...]]) -> None:
    """Give the lookups of a written file their words; only a `.keras` has a place for them."""
    if words and template.format == "keras-zip":
        _module(FORMATS, template.format, Path(template.path)).write_words(template, output, words)


def runner(model: Any, dtype: str = "float32", arguments: Mapping[str, Any] | None = None) -> Runner:
    """A runner for a model that has code or a graph to run; Unsupported where the file has weights alone."""
    path = _path(model)
    path = path and model_file(path)
    format = "python" if path is None else sniff(path)
    target = _live(model, arguments) if path is None else path
    running: Runner = _module(RUNNERS, format, model).runner(target, dtype)
    return running


def refuse_to_run(model: Any) -> None:
    """Raises as `runner` would for a file of weights alone, or of code, and imports no framework."""
    path = _path(model)
    format = "python" if path is None else sniff(path)
    if path is None or format not in FORMATS:
        return
    is_without_flow = format == "saved-model" and _graph_of(path, None).framework == "keras"
    if format not in RUNNERS or is_without_flow:
        raise _weights_alone(format, str(path))
    if format.startswith("keras"):
        from weightbridge.formats.keras.architecture.refusals import config_of, refuse_code  # only to run

        refuse_code(config_of(path), str(path))


def _path(model: Any) -> Path | None:
    """The path of a model that is a file; None for a live model and for `py:...`."""
    if isinstance(model, Path):
        return model
    return Path(model) if isinstance(model, str) and not model.startswith("py:") else None


def _live(model: Any, arguments: Mapping[str, Any] | None) -> Any:
    if not isinstance(model, str):
        refuse_arguments(arguments)
        return model
    return framework_module(FORMATS["python"]).load_callable(model, dict(arguments or {}))


def _module(table: Mapping[str, str], format: str, model: Any) -> ModuleType:
    if format in table:
        return framework_module(table[format])
    raise _weights_alone(format, str(model) if isinstance(model, str | Path) else "")


def _weights_alone(format: str, where: str) -> Unsupported:
    message = f"a {format} file holds weights and no graph, so it cannot be run"
    return Unsupported(message, where=where, fix="give the model that they belong to")
