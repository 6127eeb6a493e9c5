"""The skeleton of an ONNX file: drawn by ourselves, or written by tf2onnx with all values in it."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.commands.skeletons.values import Skeleton, mended, said_of
from weightbridge.converting.to_onnx import Settings, drawn, output_names
from weightbridge.errors import UsageError
from weightbridge.formats.frameworks import framework_module
from weightbridge.formats.keras.architecture.config import walk
from weightbridge.formats.onnx.emit.skeleton import write_skeleton
from weightbridge.formats.onnx.file import read_with
from weightbridge.formats.templates import Template
from weightbridge.model.graph import LayerGraph
from weightbridge.planning.conversions.copied import copied_plan, left_alone
from weightbridge.planning.conversions.drawn import drawn_plan
from weightbridge.planning.conversions.filled import filled_plan

OF_KERAS = ("engine", "input_layout")  # options of what writes a Keras model as ONNX
STATELESS = "ONNX keeps no state between runs: each begins with zeros, as Keras does after reset_states()"
TF2ONNX = "weightbridge.formats.onnx.engines.by_tf2onnx"


def make(model: Any, source: LayerGraph, path: Path, options: Options) -> Skeleton:
    """Raises Unsupported for a layer that the engine does not know."""
    if source.format == "onnx":
        return _of_onnx(source, path, options)
    if options.engine == "tf2onnx":
        return _by_tf2onnx(model, source, path, options)
    return _drawn(source, path, options)


def _of_onnx(source: LayerGraph, path: Path, options: Options) -> Skeleton:
    """The file that a torch module was exported to, without its values. UsageError for idle options."""
    idle = next((name for name in OF_KERAS if getattr(options, name) is not None), None)
    if idle is not None:
        flag = f"--{idle.replace('_', '-')}"
        raise UsageError(f"{flag} is for a Keras model that becomes ONNX", fix=f"leave out {flag}")
    kept = left_alone(source)
    moved = (tensor for tensor in source.tensors if tensor.name not in kept)
    formats.write(source, path, ((tensor, np.zeros(tensor.shape, tensor.dtype)) for tensor in moved))
    graph = formats.read(path)
    plan, findings = copied_plan(source, graph, kept, options)
    return Skeleton(Template(graph, graph), plan, findings)


def _by_tf2onnx(model: Any, source: LayerGraph, path: Path, options: Options) -> Skeleton:
    settings, engine = _settings_of(options), framework_module(TF2ONNX)
    arguments, is_first = options.source_arguments, settings.input_layout == "nchw"
    filled = path.with_name(f"filled{path.suffix}")
    engine.write(model, filled, output_names(source), settings.opset, is_first, arguments)
    graph = formats.read(filled)
    plan, findings = filled_plan(source, graph, options)
    coming = {step.target for step in plan.steps if step.sources}
    formats.write(graph, path, ((t, np.zeros_like(t.load())) for t in graph.tensors if t.name in coming))
    graph = formats.read(path)
    return Skeleton(Template(graph, graph), plan, (*mended(source), *findings))


def _drawn(source: LayerGraph, path: Path, options: Options) -> Skeleton:
    """Today's ONNX says itself what older Keras meant: nothing is rewritten for it."""
    made = drawn(source, _settings_of(options))
    write_skeleton(path, made.drawing)
    read = partial(read_with, names=frozenset(made.weights))
    graph = read(path)
    plan, findings = drawn_plan(source, graph, made, options)
    stateful = said_of(_stateful(source), "WB403", "warning")
    return Skeleton(Template(graph, graph), plan, (*mended(source), *stateful, *findings), read)


def _stateful(source: LayerGraph) -> Mapping[str, Sequence[str]]:
    """Layers that go on from where the last run ended, which no ONNX file does."""
    names = [layer.name for layer in walk(source.architecture) if layer.config.get("stateful") is True]
    return {STATELESS: names} if names else {}


def _settings_of(options: Options) -> Settings:
    usual = Settings()
    return Settings(options.opset or usual.opset, options.input_layout or usual.input_layout)
