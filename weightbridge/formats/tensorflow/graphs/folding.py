"""Constants that a graph turns to floats and computes with, before any data comes: one tensor of floats.

Sqrt(Cast(lengths of wavelets))    is    a tensor

An exporter that optimises does it itself. What begins with floats stays: norms are told by such steps.
"""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from functools import partial
from math import prod

import numpy as np

from weightbridge.formats.onnx.proto import Node, TensorHeader
from weightbridge.formats.onnx.tensors import dtype_name
from weightbridge.formats.onnx.values.arithmetic import MEANS, OPERATIONS
from weightbridge.formats.wire import Span
from weightbridge.model.tensors import Array, dtype_of

FLOATS = frozenset({1, 10, 16})  # element types of weights: what begins with them is none of these constants
TARGETS = frozenset({1, 10})
ELEMENTWISE = frozenset(OPERATIONS) - MEANS - {"Reshape", "Cast", "Less", "Not", "Where"}
MOST = 1 << 24  # elements
Load = Callable[[], Array]


def with_folded(
    nodes: Sequence[Node], tensors: MutableMapping[str, TensorHeader], loads: MutableMapping[Span, Load]
) -> list[Node]:
    """The nodes that are left. tensors: by value; those that are made come to them and to `loads`."""
    left: list[Node] = []
    made: set[str] = set()
    for node in nodes:
        header = _folded(node, tensors, made)
        if header is None:
            left.append(node)
            continue
        inputs = [loads[tensors[value].span] for value in node.inputs]
        loads[header.span] = partial(_computed, node, inputs, header)
        tensors[header.name] = header
        made.add(header.name)
    for name in _consumed(nodes, left) - set(_read(left)):
        tensors.pop(name, None)
    return left


def _folded(node: Node, tensors: MutableMapping[str, TensorHeader], made: set[str]) -> TensorHeader | None:
    """The tensor that a node gives; None for all that is none of these steps."""
    known = [tensors[value] for value in node.inputs if value in tensors]
    if len(known) != len(node.inputs) or not known or node.domain or len(node.outputs) != 1:
        return None
    kind = _kind(node, [header.elem_type for header in known], is_behind=not made.isdisjoint(node.inputs))
    dims = _dims(known) if kind else None
    if dims is None or not 1 < prod(dims) <= MOST:
        return None
    place = Span(-1 - len(made), -2)  # nothing of the file; those of variables end at -1
    return TensorHeader(node.outputs[0], dims, kind, place, place)


def _kind(node: Node, kinds: Sequence[int], *, is_behind: bool) -> int:
    """The element type of what a step gives, 0 where it is none. is_behind: whether it reads another one."""
    if node.op == "Cast":
        target = int(node.attributes["to"])
        return target if kinds[0] not in FLOATS and target in TARGETS else 0
    is_step = is_behind and node.op in ELEMENTWISE and len(set(kinds)) == 1
    return kinds[0] if is_step else 0


def _dims(headers: Sequence[TensorHeader]) -> tuple[int, ...] | None:
    try:
        return np.broadcast_shapes(*(header.dims for header in headers))
    except ValueError:
        return None


def _computed(node: Node, inputs: Sequence[Load], header: TensorHeader) -> Array:
    arrays, dtype = [load() for load in inputs], dtype_of(dtype_name(header))
    result = arrays[0] if node.op == "Cast" else OPERATIONS[node.op](*arrays)
    return np.asarray(np.broadcast_to(result, header.dims), dtype)


def _read(nodes: Sequence[Node]) -> Iterator[str]:
    return (value for node in nodes for value in node.inputs)


def _consumed(nodes: Sequence[Node], left: Sequence[Node]) -> set[str]:
    """What the nodes that are gone have read."""
    kept = {id(node) for node in left}
    return {value for node in nodes if id(node) not in kept for value in node.inputs}
