"""Shapes of an ONNX graph's values, with the batch axis: as the file gives them, else as far as they follow
from the inputs.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from weightbridge.formats.onnx.proto import Graph, Node
from weightbridge.formats.onnx.shapes import views as shapes_views
from weightbridge.formats.onnx.shapes import windows as shapes_windows
from weightbridge.formats.onnx.shapes.rule import Facts, Rule, Shape
from weightbridge.formats.onnx.values.evaluate import evaluate
from weightbridge.formats.onnx.values.values import Net, Read
from weightbridge.formats.onnx.values.views import axes_of
from weightbridge.model.tensors import Array

SAME = frozenset({  # the output has the first input's shape
    "Relu", "Sigmoid", "Tanh", "Softmax", "LogSoftmax", "Elu", "Selu", "Celu", "LeakyRelu", "PRelu", "ThresholdedRelu", "Clip",
    "HardSigmoid", "HardSwish", "Softplus", "Softsign", "Gelu", "Mish", "Swish", "Erf", "Exp", "Log", "Sqrt", "Neg", "Abs", "Floor",
    "Ceil", "Round", "Reciprocal", "Not", "Identity", "Cast", "Dropout", "BatchNormalization", "LayerNormalization",
    "InstanceNormalization", "GroupNormalization", "RMSNormalization", "SimplifiedLayerNormalization", "LRN", "LpNormalization",
    "QuantizeLinear", "DequantizeLinear",
})  # fmt: skip
BROADCAST = frozenset(
    [
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Pow",
        "Max",
        "Min",
        "Mean",
        "Sum",
        "Where",
        "Equal",
        "Greater",
        "Less",
        "And",
        "Or",
    ]
)


def shapes_of(graph: Graph, net: Net, read: Read) -> tuple[dict[str, Shape], Net]:
    """By value name; a value whose shape is not known is absent. And the net with the numbers that follow
    from shapes.
    """
    net = replace(net, numbers=(numbers := dict(net.numbers)))
    found: dict[str, Shape] = {
        i.name: i.shape for i in (*graph.inputs, *graph.outputs, *graph.value_infos) if i.shape is not None
    }
    found.update({name: c.shape for name, c in net.constants.items() if c.shape is not None})
    found.update({name: array.shape for name, array in net.numbers.items()})
    facts = Facts(net, found)
    for node in net.nodes:
        if (
            node.outputs
            and node.outputs[0]
            and (node.outputs[0] not in found or None in found[node.outputs[0]][1:])
        ):
            shape = _shape(node, [found.get(v) for v in node.inputs], facts)
            if shape is not None:
                found[node.outputs[0]] = shape
        if node.op == "Split" and node.inputs and node.inputs[0] in found:
            found |= {
                v: s
                for v, s in shapes_views.split(node, found[node.inputs[0]], facts).items()
                if v not in found
            }
        if (
            node.outputs
            and node.outputs[0] in net.fixed
            and node.outputs[0] not in numbers
            and node.outputs[0] not in net.constants
        ):
            number = _number(node, facts, read)
            numbers.update({} if number is None else {node.outputs[0]: number})
    return found, net


def _number(node: Node, facts: Facts, read: Read) -> Array | None:
    """What a node computes from the lengths of axes that are known."""
    if node.op == "Shape":
        shape = facts.shapes.get(node.inputs[0], (None,))
        return None if None in shape or node.attributes else np.array(shape, np.int64)
    index = facts.net.numbers.get(node.inputs[1]) if node.op == "Gather" else None
    if index is None or index.size != 1:
        return evaluate(node, facts.net.numbers, read)
    part = shapes_views.parts_of(node.outputs[0], facts)
    return None if part is None or None in part else np.array(part, np.int64).reshape(index.shape)


def _shape(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    if not inputs or inputs[0] is None:
        return None
    if node.op in SAME:
        return inputs[0]
    if node.op in BROADCAST:
        return _broadcast(inputs)
    rule = RULES.get(node.op)
    try:
        return rule(node, inputs, facts) if rule else None
    except (IndexError, ValueError, ZeroDivisionError, TypeError):
        return None  # shapes that contradict each other: not known


def _broadcast(inputs: list[Shape | None]) -> Shape | None:
    known = [s for s in inputs if s is not None]
    if len(known) < len(inputs):
        return None
    rank = max(len(s) for s in known)
    padded = [(1,) * (rank - len(s)) + s for s in known]
    return tuple(
        next((n for n in axis if n != 1), 1)
        if None not in axis
        else max((n for n in axis if n not in (None, 1)), default=None)
        for axis in zip(*padded, strict=True)
    )


def _matmul(_: Node, inputs: list[Shape | None], __: Facts) -> Shape | None:
    a, b = inputs[0], inputs[1]
    if a is None or b is None or len(b) < 2 or len(a) < 2:
        return None
    batch = _broadcast([a[:-2], b[:-2]])
    return None if batch is None else (*batch, a[-2], b[-1])


def _gemm(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    a, b = inputs[0], inputs[1]
    if a is None or b is None:
        return None
    return a[1 if node.attributes.get("transA") else 0], b[0 if node.attributes.get("transB") else 1]


def _reduce(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    x, axes = inputs[0] or (), axes_of(node, facts.net.numbers)
    gone = {a % len(x) for a in axes} if axes else set(range(len(x)))
    kept = bool(node.attributes.get("keepdims", 1))
    return tuple(1 if i in gone else n for i, n in enumerate(x) if kept or i not in gone)


def _gather(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    x, index = inputs[0] or (), inputs[1]
    axis = int(node.attributes.get("axis", 0)) % max(len(x), 1)
    return None if index is None else (*x[:axis], *index, *x[axis + 1 :])


def _recurrent(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    x, r = inputs[0], inputs[2]
    return None if x is None or r is None else (x[0], r[0], x[1], r[2])


RULES: Mapping[str, Rule] = {
    **shapes_windows.RULES,
    **shapes_views.RULES,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "ReduceMean": _reduce,
    "ReduceMax": _reduce,
    "ReduceSum": _reduce,
    "Gather": _gather,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}
