"""The ledger of an ONNX file: what becomes of every tensor in it that no layer holds.

It starts from the file. A tensor belongs to a layer, is left out with a reason, or is a finding.
"""

from collections.abc import Iterable, Iterator
from math import prod

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.formats.onnx.drafts import constants_inside, inner_constants
from weightbridge.formats.onnx.layers import Folded
from weightbridge.formats.onnx.proto import Graph, Model, TensorHeader
from weightbridge.formats.onnx.values.constants import Constant
from weightbridge.formats.wire import Span
from weightbridge.model.graph import Excluded, Reason

WEIGHTS = frozenset({1, 10, 11, 16})  # element types
SHOWN = 3  # names in a finding


@dataclass(frozen=True, slots=True)
class Ledger:
    excluded: tuple[Excluded, ...]
    findings: tuple[Finding, ...]


def ledger_of(model: Model, found: Folded) -> Ledger:
    """What the layers of a file leave over."""
    held = set(spans_held(found.headers.values()))
    read = {constant.header.span for constant in found.read}
    own = [c for c in _own(model.graph) if c.header.span not in held]
    inner = [*_inner(model.graph), *(c for function in model.functions for c in _of_function(function))]
    lost = [*(c for c in own if c.header.span in read), *(c for c in inner if c.header.span not in held)]
    lost = [c for c in lost if c.size > 1]  # a single number is part of what is computed with it
    state = [c for c in own if c.header.span not in read]
    training = [c for graph in model.training for c in _own(graph)]
    entries = (*_excluded(state, "state", found), *_excluded(training, "optimizer", found))
    return Ledger(entries, tuple(_lost(lost)))


def spans_held(headers: Iterable[TensorHeader]) -> Iterator[Span]:
    """Where the tensors are, and the parts of those that are put together."""
    for header in headers:
        yield header.span
        yield from (part.span for part in (header.joined.tensors if header.joined else ()))


def _own(graph: Graph) -> Iterator[Constant]:
    """Initializers, and constants of nodes that may be weights."""
    yield from (Constant(t.name, t, t.dims) for t in graph.initializers)
    for node in graph.nodes:
        value = node.attributes.get("value") if node.op == "Constant" else None
        if isinstance(value, TensorHeader) and node.outputs:
            constant = Constant(node.outputs[0], value, value.dims)
            if _is_weight(constant):
                yield constant


def _inner(graph: Graph) -> Iterator[Constant]:
    """What may be weights in the graphs inside nodes."""
    for node in graph.nodes:
        yield from (c for c in constants_inside(node, node.name or node.op) if _is_weight(c))


def _of_function(function: Graph) -> Iterator[Constant]:
    return (c for c in inner_constants(function, function.name) if _is_weight(c))


def _is_weight(constant: Constant) -> bool:
    """Whether it has several numbers of floating point."""
    return constant.header.elem_type in WEIGHTS and constant.size > 1


def _excluded(constants: Iterable[Constant], reason: Reason, found: Folded) -> Iterator[Excluded]:
    for constant in constants:
        if constant.name not in found.headers:
            yield Excluded(constant.name, reason, prod(constant.header.dims))


def _lost(constants: list[Constant]) -> Iterator[Finding]:
    if not constants:
        return
    count = "1 tensor is" if len(constants) == 1 else f"{len(constants)} tensors are"
    names = listed([constant.name for constant in constants], SHOWN)
    yield finding(
        "WB107",
        f"{count} read where no layer is recognised, and would be lost: {names}",
        source=constants[0].name,
        fix="Export the model again without functions and loops around its weights, or report the operator",
    )
