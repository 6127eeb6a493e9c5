"""TFLite models: read as layers from headers alone. They are no targets."""

import mmap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

from weightbridge.errors import ModelError, OutputError, Unsupported
from weightbridge.errors.diagnostics import Finding, finding, listed, with_severity
from weightbridge.formats.onnx import proto
from weightbridge.formats.onnx.layers import Folded, fold, layer_graph
from weightbridge.formats.onnx.ledger import ledger_of, spans_held
from weightbridge.formats.onnx.loading import loaders
from weightbridge.formats.onnx.proto import TensorHeader
from weightbridge.formats.onnx.quantised.findings import quantised_findings
from weightbridge.formats.onnx.quantised.rounding import marked
from weightbridge.formats.opening import readable
from weightbridge.formats.tflite.constants import constants_of, is_unscaled, is_weight
from weightbridge.formats.tflite.lower import lowered, value_names
from weightbridge.formats.tflite.messages import Model
from weightbridge.formats.tflite.parse import parse_model
from weightbridge.formats.tflite.rounding import rounds_data
from weightbridge.model.graph import Excluded, LayerGraph
from weightbridge.model.tensors import Array, Tensor

FORMAT = "tflite"
SCHEMA = 3  # the version of the file format
OPSET = 17  # of the ONNX operators that TFLite's are written as
SERVING = "serving_default"
AGAIN = "Copy or convert it again"
SHOWN = 3  # names in a finding


def read(path: Path) -> LayerGraph:
    """The layer graph of a .tflite file; no weight's bytes are read. Raises a ModelError."""
    model, graph, found = folded(path)
    ledger = ledger_of(proto.Model(SCHEMA, "", {"": OPSET}, graph), found)
    others = tuple(_others(model, found))
    layers = marked(found.layers) if rounds_data(model) else found.layers
    return replace(
        layer_graph(path, FORMAT, found, layers),
        producer=_producer(model),
        excluded=(*ledger.excluded, *others),
        findings=(*_findings(path, model, others), *ledger.findings, *quantised_findings(found)),
    )


def write(template: LayerGraph, output: Path, values: Iterable[tuple[Tensor, Array]]) -> None:
    """TFLite files are read only."""
    fix = "Transfer into the Keras model, and convert that one to TFLite"
    raise OutputError("TFLite files are read only", where=template.path, fix=fix)


def folded(path: Path) -> tuple[Model, proto.Graph, Folded]:
    """The file's messages, their graph and its layers. Raises a ModelError that names the file."""
    try:
        with (
            readable(path),
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            model = parse_model(data)
            if not model.subgraphs:
                raise Unsupported("a TFLite file without a graph", fix=AGAIN)
            load = loaders(path, len(data))
            graph = lowered(model, chosen(model), lambda header: load(header)())
            for header in graph.initializers:
                load(header)  # its place is checked at once
            return model, graph, fold(graph, OPSET, lambda header: load(header)(), load)
    except ModelError as error:
        inside = "" if str(path) in error.where else f"{path}: {error.where}".removesuffix(": ")
        raise type(error)(error.message, where=inside or error.where, fix=error.fix or AGAIN) from error


def chosen(model: Model) -> int:
    """The subgraph that is the model: what the default signature runs, else the first."""
    served = (signature.subgraph for signature in model.signatures if signature.name == SERVING)
    return next(served, 0)


def _producer(model: Model) -> str:
    parts = (f"tflite {model.version}", model.description.strip(" ."), _runtime(model))
    return ", ".join(part for part in parts if part)


def _runtime(model: Model) -> str:
    return f"for runtime {model.runtime} and newer" if model.runtime else ""


def _others(model: Model, found: Folded) -> Iterator[Excluded]:
    """The weights of subgraphs that the model does not run."""
    held = set(spans_held(found.headers.values()))
    for number, subgraph in enumerate(model.subgraphs):
        if number == chosen(model):
            continue
        constants = constants_of(subgraph, value_names(subgraph), _unread)
        for header in constants.headers:
            if is_weight(header) and header.span not in held:
                held.add(header.span)
                name = f"{subgraph.name or f'subgraph_{number}'}/{header.name}"
                yield Excluded(name, "state", prod(header.dims))


def _unread(header: TensorHeader) -> Array:
    raise AssertionError(f"{header.name} is listed, not read")


def _findings(path: Path, model: Model, others: Sequence[Excluded]) -> Iterator[Finding]:
    if model.version != SCHEMA:
        message = f"{path.name}: version {model.version} of TFLite's file format, known is {SCHEMA}"
        yield finding("WB107", message, fix="Convert the model again with a current converter")
    custom = sorted({o.op for subgraph in model.subgraphs for o in subgraph.operators if o.is_custom})
    if custom:
        message = f"needs the code of custom operators to run: {listed(custom, SHOWN)}"
        fix = "Register them with the interpreter; their weights are read as they are"
        yield finding("WB104", message, fix=fix)
    if others:
        served = next((s.name for s in model.signatures if s.subgraph == chosen(model)), "the first")
        left = f"{len(others)} tensors of the others are left out"
        yield finding("WB108", f"the file holds more than one graph; {served} is read, {left}")
    yield from _unscaled(model)


def _unscaled(model: Model) -> Iterator[Finding]:
    """WB109 for codes of which no floats can be made."""
    names = [tensor.name for tensor in model.subgraphs[chosen(model)].tensors if is_unscaled(tensor)]
    if names:
        message = f"quantised values whose scales are not those of an axis: {listed(names, SHOWN)}"
        fix = "Give the model as it was before it was quantised"
        yield with_severity(finding("WB109", message, source=names[0], fix=fix), "error")
