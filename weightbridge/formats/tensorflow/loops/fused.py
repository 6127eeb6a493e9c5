"""TFLite's operators for whole recurrent layers: their gates stand apart, and become one weight.

https://www.tensorflow.org/mlir/tfl_ops: `tfl.unidirectional_sequence_lstm`, `..._rnn`.
"""

from collections.abc import Sequence

from weightbridge.formats.onnx.cells.loops import GATES
from weightbridge.formats.onnx.cells.told import CellTold
from weightbridge.formats.onnx.proto import TOLD, Node
from weightbridge.formats.onnx.quantised.lower import ADDED
from weightbridge.formats.tensorflow.loops.outside import Outside

LSTM, RNN = "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"
FUSED = frozenset({LSTM, RNN})
ROLES = {"kernel": slice(1, 5), "recurrent_kernel": slice(5, 9), "bias": slice(12, 16)}  # places of inputs
OTHERS = (*range(9, 12), 16, 17, *range(20, 24))  # peepholes, projections, layer normalisations
TIME_MAJOR, ACTIVATION, LIMIT = "time_major", "activation", "limit"  # as attributes
SWAPPED = {"perm": (1, 0, 2)}


def fused_cell(node: Node, outside: Outside) -> list[Node] | None:
    """None for a variant that is none of Keras's layers, or whose weights are no tensors."""
    return _lstm(node, outside) if node.op == LSTM else _simple(node, outside)


def _lstm(node: Node, outside: Outside) -> list[Node] | None:
    inputs = (*node.inputs, *("" for _ in range(24 - len(node.inputs))))
    if not inputs[0] or any(inputs[place] for place in OTHERS) or ACTIVATION not in node.attributes:
        return None
    values = []
    for role, places in ROLES.items():
        value = _whole(outside, f"{node.outputs[0]}/{role}", inputs[places])
        if value is None:
            return None
        values.append(value)
    told = CellTold(GATES["LSTM"], node.attributes[ACTIVATION], "sigmoid", limit=node.attributes[LIMIT])
    return _written(node, "LSTM", told, values)


def _whole(outside: Outside, name: str, parts: Sequence[str]) -> str | None:
    """ "" for biases that are left out."""
    return outside.joined(name, parts, 0) if any(parts) else ""


def _simple(node: Node, outside: Outside) -> list[Node] | None:
    if len(node.inputs) < 4 or ACTIVATION not in node.attributes:
        return None
    values = tuple(map(outside.stored, node.inputs[1:4]))
    if any(value not in outside.tensors for value in values):
        return None
    return _written(node, "RNN", CellTold(GATES["RNN"], node.attributes[ACTIVATION]), values)


def _written(node: Node, op: str, told: CellTold, values: Sequence[str]) -> list[Node]:
    """The weights are stored as (gates, in), the data with the batch first or with time."""

    def inner(label: str) -> str:
        return f"{node.outputs[0]}{ADDED}{label}"

    turned = [
        Node("", "Transpose", "", (value,), (inner(f"turned{n}"),), {"perm": (1, 0)})
        for n, value in enumerate(values[:2])
    ]
    weights = (*(n.outputs[0] for n in turned), *values[2:])
    is_time_first = bool(node.attributes[TIME_MAJOR])
    steps = node.outputs[0] if is_time_first else inner("steps")
    data = node.inputs[0] if is_time_first else inner("data")
    outputs = (steps, inner("hidden"), inner("cell"))
    cell = Node(node.name, op, "", (data, *weights), outputs, {TOLD: told})
    if is_time_first:
        return [*turned, cell]
    first = Node("", "Transpose", "", node.inputs[:1], (data,), SWAPPED)
    return [*turned, first, cell, Node("", "Transpose", "", (steps,), node.outputs[:1], SWAPPED)]
