"""What a conversion fills: the same model in the target's terms, a file with all its tensors, and a plan."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.converting import lowered
from weightbridge.converting.to_onnx import Settings, drawn, output_names
from weightbridge.converting.values import Lowered
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.formats.frameworks import framework_module
from weightbridge.formats.keras.emit.legacy import write_legacy_skeleton
from weightbridge.formats.keras.emit.places import places_of
from weightbridge.formats.keras.emit.skeleton import write_skeleton as write_keras
from weightbridge.formats.onnx.emit.skeleton import write_skeleton as write_onnx
from weightbridge.formats.onnx.file import read_with
from weightbridge.formats.templates import Template
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan
from weightbridge.planning.conversion import conversion_plan
from weightbridge.planning.drawn import drawn_plan
from weightbridge.planning.filled import filled_plan

SHOWN = 10
TF2ONNX = "weightbridge.formats.onnx.engines.by_tf2onnx"
# what the reader says of an old file, and a conversion mends: each rule is a line of what was rewritten
MENDED = frozenset({"WB102", "WB103"})
OF_ONNX = ("engine", "input_layout", "opset")  # options that mean nothing elsewhere


@dataclass(frozen=True, slots=True)
class Skeleton:
    """template: the file without values. findings: what is to be said of the conversion.

    read: how the file is read again, as the template was.
    """

    template: Template
    plan: Plan
    findings: tuple[Finding, ...]
    read: Callable[[Path], LayerGraph] = formats.read


@contextmanager
def skeleton_of(model: Any, source: LayerGraph, suffix: str, options: Options) -> Iterator[Skeleton]:
    """Temporary files go when the context ends. Raises Unsupported for what the target has no layer for."""
    with tempfile.TemporaryDirectory(prefix="weightbridge-") as folder:
        made = MAKERS[suffix](model, source, Path(folder) / f"skeleton{suffix}", options)
        said = tuple(f for f in source.findings if f.code not in MENDED)
        yield replace(made, findings=(*said, *made.findings, *_not_carried(source)))


def refuse_idle(suffix: str, options: Options) -> None:
    """Raises UsageError for options of ONNX where another format is written."""
    if suffix == ".onnx":
        return
    given = [name for name in OF_ONNX if getattr(options, name) is not None]
    if given:
        flag = f"--{given[0].replace('_', '-')}"
        raise UsageError(f"{flag} is for an OUTPUT that ends with .onnx", fix=f"leave out {flag}")


def _keras(_: Any, source: LayerGraph, path: Path, options: Options) -> Skeleton:
    terms = lowered(source)
    written = write_keras if path.suffix == ".keras" else write_legacy_skeleton
    written(path, terms.config, places_of(terms.config, source))
    graph = formats.read(path)
    plan, findings = conversion_plan(source, graph, terms, options)
    return Skeleton(Template(graph, graph), plan, (*notes_of(source, terms), *findings))


def _onnx(model: Any, source: LayerGraph, path: Path, options: Options) -> Skeleton:
    """Drawn by ourselves, or written by tf2onnx with all values in it."""
    if options.engine != "tf2onnx":
        return _drawn(source, path, options)
    settings, engine = settings_of(options), framework_module(TF2ONNX)
    arguments, is_first = options.source_arguments, settings.input_layout == "nchw"
    filled = path.with_name(f"filled{path.suffix}")
    engine.write(model, filled, output_names(source), settings.opset, is_first, arguments)
    graph = formats.read(filled)
    plan, findings = filled_plan(source, graph, options)
    coming = {step.target for step in plan.steps if step.sources}
    formats.write(graph, path, ((t, np.zeros_like(t.load())) for t in graph.tensors if t.name in coming))
    graph = formats.read(path)
    return Skeleton(Template(graph, graph), plan, (*_mended(source), *findings))


def _drawn(source: LayerGraph, path: Path, options: Options) -> Skeleton:
    """Today's ONNX says itself what older Keras meant: nothing is rewritten for it."""
    made = drawn(source, settings_of(options))
    write_onnx(path, made.drawing)
    read = partial(read_with, names=frozenset(weight.name for weight in made.weights))
    graph = read(path)
    plan, findings = drawn_plan(source, graph, made, options)
    return Skeleton(Template(graph, graph), plan, (*_mended(source), *findings), read)


def settings_of(options: Options) -> Settings:
    usual = Settings()
    return Settings(options.opset or usual.opset, options.input_layout or usual.input_layout)


def notes_of(source: LayerGraph, terms: Lowered) -> tuple[Finding, ...]:
    """What was rewritten, a rule a line; what is not carried; what differs in training."""
    return (
        *_mended(source),
        *_said(terms.rewritten, "WB102", "note"),
        *_said(terms.left, "WB203", "note"),
        *_said(terms.training, "WB407", "warning"),
    )


def _mended(source: LayerGraph) -> tuple[Finding, ...]:
    mended = [f for f in source.findings if f.code in MENDED]
    return tuple(replace(f, code="WB102", severity="note", fix="") for f in mended)


def _said(sentences: Mapping[str, Iterable[str]], code: str, severity: str) -> Iterator[Finding]:
    for sentence, layers in sentences.items():
        names = list(layers)
        found = finding(code, f"{sentence}: {listed(names, SHOWN)}", source=names[0])
        yield replace(found, severity=severity)  # type: ignore[arg-type]  # one of three words


def _not_carried(source: LayerGraph) -> Iterator[Finding]:
    optimizer = sum(entry.reason == "optimizer" for entry in source.excluded)
    if optimizer:
        message = f"the state of the optimizer is not carried ({optimizer} arrays), nor is compile()"
        found = finding("WB203", message, fix="compile the model again before it is trained")
        yield replace(found, severity="note")


MAKERS: Mapping[str, Callable[[Any, LayerGraph, Path, Options], Skeleton]] = {
    **dict.fromkeys((".keras", ".h5", ".hdf5"), _keras),
    ".onnx": _onnx,
}
