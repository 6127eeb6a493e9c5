"""A TensorFlow graph as layers with data flow: what the serving signature, or the graph itself, computes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from weightbridge.errors import Corrupt
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.onnx import proto
from weightbridge.formats.onnx.layers import Folded, fold, layer_graph
from weightbridge.formats.onnx.ledger import WEIGHTS, ledger_of
from weightbridge.formats.onnx.loading import Load
from weightbridge.formats.tensorflow.graphs.cycles import with_loops
from weightbridge.formats.tensorflow.graphs.inline import (
    CALLS,
    PASSING,
    Flat,
    inlined,
    operation_of,
    plain_value,
)
from weightbridge.formats.tensorflow.graphs.lower import lowered
from weightbridge.formats.tensorflow.graphs.lowered import Lowered, Sides
from weightbridge.formats.tensorflow.graphs.messages import Operation, Signature, parse_graph
from weightbridge.formats.tensorflow.graphs.switches import without_switches
from weightbridge.formats.tensorflow.graphs.variables import variables_of
from weightbridge.formats.wire import Buffer, Span
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor

OPSET = 17  # of the ONNX operators that TensorFlow's are written as
SERVING = "serving_default"
INPUTS = frozenset({"Placeholder"})
UNREAD = "unused_control_flow_input"
NO_OUTPUTS = frozenset({
    "NoOp", "Assert", "Const", "Placeholder", "VarHandleOp", "SaveV2", "RestoreV2", "AssignVariableOp",
    "MergeV2Checkpoints", "ShardedFilename", "StringJoin",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Traced:
    """flat: the graph, inlined. known: the tensor of each variable. found: the layers of what is served.

    assumed: placeholders that were taken for False.
    """

    flat: Flat
    known: Mapping[str, Tensor]
    made: Lowered
    found: Folded
    assumed: tuple[str, ...] = ()


def traced(
    path: Path, data: Buffer, span: Span, signatures: Sequence[Signature], variables: Mapping[str, Tensor]
) -> Traced:
    """variables: the tensor of each of a checkpoint's keys. Raises a ModelError."""
    decided = without_switches(with_loops(parse_graph(data, span), data), data, path)
    flat = inlined(decided.graph, data)
    known = variables_of(flat, data, variables)
    made = lowered(flat, data, path, _sides(flat, signatures), known)
    return Traced(flat, known, made, _folded(made), decided.assumed)


def flow(path: Path, format: str, trace: Traced) -> LayerGraph:
    """What was traced as a layer graph."""
    made, found = trace.made, trace.found
    ledger = ledger_of(proto.Model(0, "", {"": OPSET}, made.graph), found)
    by_name = {tensor.name: tensor for tensor in trace.known.values()}
    left = {h.name for h in made.graph.initializers if h.elem_type in WEIGHTS and prod(h.dims) > 1}
    return replace(
        layer_graph(path, format, found, [_with_keys(layer, by_name) for layer in found.layers]),
        excluded=tuple(entry for entry in ledger.excluded if entry.name in left),
        findings=(*ledger.findings, *_said(path, trace.assumed)),
    )


def _said(path: Path, assumed: Sequence[str]) -> tuple[Finding, ...]:
    message = f"the graph is read as it is without training: {', '.join(assumed)} is False"
    return (finding("WB108", message, source=str(path)),) if assumed else ()


def _folded(made: Lowered) -> Folded:
    load: Load = lambda header: made.loads[header.span]  # noqa: E731
    return fold(made.graph, OPSET, lambda header: load(header)(), load)


def _with_keys(layer: Layer, variables: Mapping[str, Tensor]) -> Layer:
    """The layer, whose variables have the keys of the checkpoint."""
    tensors = tuple(
        replace(tensor, key=variables[tensor.name].key, trainable=variables[tensor.name].trainable)
        if tensor.name in variables
        else tensor
        for tensor in layer.tensors
    )
    return replace(layer, tensors=tensors)


def _sides(flat: Flat, signatures: Sequence[Signature]) -> Sides:
    """What is served; of a graph without signatures its placeholders, and what nothing reads."""
    served = [s for s in signatures if s.name == SERVING] or [s for s in signatures if s.inputs and s.outputs]
    if served:
        inputs = tuple((name, plain_value(value)) for name, value in served[0].inputs)
        return Sides(inputs, tuple((name, plain_value(value)) for name, value in served[0].outputs))
    inputs = tuple((o.name, o.name) for o in flat.operations if _is_input(o))
    ends = _ends(flat)
    if not ends:
        raise Corrupt("the graph gives nothing")
    return Sides(inputs, tuple((name, name) for name in ends))


def _is_input(operation: Operation) -> bool:
    """Not so what stands for a value that a function of a loop, written out, does not read."""
    return operation.op in INPUTS and not operation.name.startswith(UNREAD)


def _ends(flat: Flat) -> list[str]:
    read = {value for operation in flat.operations for value in operation.inputs}
    names = {operation_of(value) for value in (*read, *map(flat.source, read))}
    names |= _awaited_constants(flat) | _results_of_calls(flat, names)
    return [o.name for o in flat.operations if o.name not in names and o.op not in NO_OUTPUTS]


def _results_of_calls(flat: Flat, read: set[str]) -> set[str]:
    """What hands on a value inside a call that was written out, where others read that value itself."""
    return {
        operation.name
        for operation in flat.operations
        if operation.op in PASSING
        and not CALLS.isdisjoint(operation.name.split("/")[:-1])
        and operation_of(flat.source(operation.name)) in read
    }


def _awaited_constants(flat: Flat) -> set[str]:
    """What hands on a constant that something only waits for: a frozen graph's reads of variables."""
    awaited = {name for operation in flat.operations for name in operation.controls}
    constants = {operation.name for operation in flat.operations if operation.op == "Const"}
    return {name for name in awaited if operation_of(flat.source(name)) in constants}
