"""ONNX models: read as layers from headers alone, and written as a patched copy."""

import mmap
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from weightbridge.errors import ModelError, Unsupported
from weightbridge.errors.diagnostics import Finding, finding, with_severity
from weightbridge.formats.onnx.inlined import inlined
from weightbridge.formats.onnx.layers import Folded, fold, layer_graph
from weightbridge.formats.onnx.ledger import ledger_of
from weightbridge.formats.onnx.loading import loaders
from weightbridge.formats.onnx.parse import parse_model
from weightbridge.formats.onnx.proto import Model, TensorHeader
from weightbridge.formats.onnx.quantised.findings import quantised_findings
from weightbridge.formats.onnx.quantised.rounding import with_rounding
from weightbridge.formats.onnx.tensors import DTYPES
from weightbridge.formats.onnx.untied import with_calls_apart, with_merged_apart
from weightbridge.formats.onnx.uses import Use
from weightbridge.formats.opening import readable
from weightbridge.formats.streamed import Value, whole_of
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Array, Tensor

__all__ = ["apart", "folded", "read", "write"]


LATEST_IR, LATEST_OPSET = 14, 28  # versions of the file format and of the operators
FIRST_WITH_OPSETS = 3  # the version of the file format from which a file says its operators' version
STANDARD = ("", "ai.onnx")
EXPORT_AGAIN = "Export the model again with a current exporter"


def read(path: Path) -> LayerGraph:
    """The layer graph of an ONNX file; no weight's bytes are read. Raises a ModelError."""
    model, found = folded(path)
    ledger = ledger_of(model, found)
    return replace(
        layer_graph(path, "onnx", found, with_rounding(found.layers, model.graph)),
        producer=model.producer,
        excluded=ledger.excluded,
        files=_files(path, (*model.graph.initializers, *found.headers.values())),
        findings=(*_findings(path, model), *ledger.findings, *quantised_findings(found)),
    )


def apart(graph: LayerGraph, again: Collection[str] = ()) -> LayerGraph:
    """The graph in which layers have vectors of their own that an exporter has merged.

    again: layers that call others again, and are to have all their tensors for themselves.
    """
    if not any(layer.attributes.get("tied") for layer in graph.layers):
        return graph
    _, found = folded(Path(graph.path))
    layers = with_calls_apart(with_merged_apart(graph.layers, found.uses), found.uses, again)
    return graph if layers == graph.layers else replace(graph, layers=layers)


def write(template: LayerGraph, output: Path, values: Iterable[tuple[Tensor, Value]]) -> None:
    """A copy of the template's file with the given tensors' bytes replaced.

    External data becomes part of the file. Raises OutputError.
    """
    path = Path(template.path)
    model, found = folded(path)
    quantised = next((h.name for h in found.headers.values() if h.scaling is not None), "")
    if quantised:
        fix = "Give the model as it was before it was quantised, and quantise the written one"
        raise Unsupported("quantised weights are read, not written", where=f"{path}: {quantised}", fix=fix)
    headers = {**{t.name: t for t in model.graph.initializers}, **found.headers}
    own = _own(template, found, headers)
    kept: dict[str, Array] = {}
    shared = ((tensor, value) for tensor, value in values if not _keep(kept, own, tensor, value))
    given = ((headers[tensor.key], tensor.name, value) for tensor, value in shared)
    from weightbridge.formats.onnx.own_initializers import Own, give_own  # what only reads does without
    from weightbridge.formats.onnx.write import write_tensors

    write_tensors(path, model, found.headers.values(), output, given)
    if own:
        give_own(output, [Own(t.name, use, _value(kept, t)) for t, use in own.values()])


def _own(
    template: LayerGraph, found: Folded, headers: Mapping[str, TensorHeader]
) -> dict[str, tuple[Tensor, Use]]:
    """The tensors that the file has no initializer for yet, as several layers read one."""
    return {
        tensor.key: (tensor, found.uses[layer.name, tensor.role])
        for layer in template.layers
        for tensor in layer.tensors
        if tensor.key not in headers
    }


def _keep(kept: dict[str, Array], own: Mapping[str, object], tensor: Tensor, value: Value) -> bool:
    if tensor.key not in own:
        return False
    kept[tensor.key] = whole_of(value)
    return True


def _value(kept: Mapping[str, Array], tensor: Tensor) -> Array:
    """What it is given, or what it holds so far."""
    value = kept.get(tensor.key)
    return tensor.load() if value is None else value


def read_with(path: Path, names: Container[str]) -> LayerGraph:
    """`read`, and each initializer of these names that no layer has as a layer of unknown class."""
    model, _ = folded(path)
    graph = read(path)
    lone = [t for t in model.graph.initializers if t.name in names and t.name not in graph.tensor_by_name]
    load = loaders(path, path.stat().st_size, model.graph.initializers)
    layers = (*graph.layers, *(_alone(t, load(t), graph) for t in lone))
    left = frozenset(header.name for header in lone)
    excluded = tuple(entry for entry in graph.excluded if entry.name not in left)
    return replace(graph, layers=layers, excluded=excluded)


def _alone(header: TensorHeader, load: Callable[[], Array], graph: LayerGraph) -> Layer:
    role = header.name.rpartition("/")[2]
    name = header.name if header.name not in graph.by_name else f"{header.name}/alone"
    dtype = DTYPES[header.elem_type]
    return Layer(name, "Opaque", tensors=(Tensor(header.name, role, header.dims, dtype, header.name, load),))


def folded(path: Path) -> tuple[Model, Folded]:
    """The parsed model and its layers. Raises a ModelError that names the file."""
    try:
        with (
            readable(path),
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            model = parse_model(data)
            opset = max((v for k, v in model.opsets.items() if k in STANDARD), default=1)
            load = loaders(path, len(data), model.graph.initializers)
            graph = inlined(model.graph, model.functions)
            return model, fold(graph, opset, lambda header: load(header)(), load)
    except RecursionError as error:
        raise ModelError("nested too deep to be read", where=str(path)) from error
    except ModelError as error:
        if error.where:
            raise
        raise type(error)(
            error.message, where=str(path), fix=error.fix or "Copy or export it again"
        ) from error


def _files(path: Path, headers: Iterable[TensorHeader]) -> tuple[str, ...]:
    """The files of external data."""
    locations = {h.external["location"] for h in headers if h.external and "location" in h.external}
    return tuple(str(path.parent / location) for location in sorted(locations))


def _findings(path: Path, model: Model) -> Iterable[Finding]:
    if not 0 < model.ir_version <= LATEST_IR:
        message = f"{path.name}: version {model.ir_version} of ONNX's file format, known are 1 to {LATEST_IR}"
        yield finding("WB107", message, fix=f"{EXPORT_AGAIN}, or use a newer weightbridge")
    opset = next((version for domain, version in model.opsets.items() if domain in STANDARD), None)
    if opset is None and model.ir_version >= FIRST_WITH_OPSETS:
        message = f"{path.name}: the file does not say which version of ONNX's operators it uses"
        yield finding("WB107", message, fix=EXPORT_AGAIN)
    elif opset is not None and not 0 < opset <= LATEST_OPSET:
        message = f"{path.name}: version {opset} of ONNX's operators, known are 1 to {LATEST_OPSET}"
        yield finding("WB107", message, fix=f"{EXPORT_AGAIN}, or use a newer weightbridge")
    yield from _of_erfc(path, model)
    if model.graph.sparse:
        message = f"{path.name}: {model.graph.sparse} sparse initializers, which are not read"
        yield finding("WB107", message, fix="Export the model with dense weights")


def _of_erfc(path: Path, model: Model) -> Iterable[Finding]:
    """Keras's own export of an exact GELU."""
    found = [node for node in model.graph.nodes if node.op == "Erfc" and not node.domain]
    if found:
        name = found[0].name or found[0].outputs[0]
        message = f"{path.name}: {len(found)} nodes are Erfc, which ONNX does not have; it is read as 1 - Erf"
        fix = "export the model again by another writer: other runtimes refuse this file"
        yield with_severity(finding("WB107", message, source=name, fix=fix), "warning")
