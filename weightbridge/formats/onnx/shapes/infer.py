"""Shapes of a graph's values with the batch axis: as the file states them, or as they follow."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from weightbridge.formats.onnx.proto import TOLD, Graph, Node
from weightbridge.formats.onnx.shapes import further, reshaping, windows
from weightbridge.formats.onnx.shapes.lengths import (
    batches,
    is_left_open,
    repeated,
    strided,
    tries,
    with_tried,
)
from weightbridge.formats.onnx.shapes.rule import Facts, Rule, Shape, with_leading_ones
from weightbridge.formats.onnx.shapes.vectors import vector_elements
from weightbridge.formats.onnx.values.evaluate import MOST, evaluate
from weightbridge.formats.onnx.values.net import Net, Read
from weightbridge.formats.onnx.values.numbers import Numbers
from weightbridge.formats.onnx.values.stored_parts import stored_part
from weightbridge.formats.onnx.values.views import axes_of, without_axes
from weightbridge.model.tensors import Array

SAME = frozenset({  # the output has the first input's shape
    "Relu", "Sigmoid", "Tanh", "Softmax", "LogSoftmax", "Elu", "Selu", "Celu", "LeakyRelu", "PRelu",
    "ThresholdedRelu", "Clip", "HardSigmoid", "HardSwish", "Softplus", "Softsign", "Gelu", "Mish", "Swish",
    "Erf", "Erfc", "Exp", "Log", "Sqrt", "Neg", "Abs", "Floor", "Ceil", "Round", "Reciprocal", "Not", "Sign",
    "Sin", "Cos", "Tan", "IsNaN", "IsInf", "CumSum", "Trilu", "Shrink",
    "Identity", "Cast", "Dropout", "BatchNormalization", "LayerNormalization", "InstanceNormalization",
    "GroupNormalization", "RMSNormalization", "SimplifiedLayerNormalization", "LRN", "LpNormalization",
    "QuantizeLinear", "DequantizeLinear",
})  # fmt: skip
BROADCAST = frozenset({
    "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "Where", "Equal", "Greater", "Less",
    "GreaterOrEqual", "LessOrEqual", "Mod", "And", "Or", "Xor",
})  # fmt: skip


def shapes_of(graph: Graph, net: Net, read: Read) -> tuple[dict[str, Shape], Net]:
    """The known shapes by value name, and the net with the numbers that follow from shapes."""
    shapes, net = _inferred(graph, net, read)
    if not is_left_open(net):
        return shapes, net
    shapes, told = with_tried(shapes, net, [_inferred(tried, net, read) for tried in tries(graph)])
    one, two = (_inferred(tried, net, read)[1] for tried in batches(graph))
    return shapes, replace(told, repeated=repeated(told, one, two), strided=strided(told, one, two))


def _inferred(graph: Graph, net: Net, read: Read) -> tuple[dict[str, Shape], Net]:
    numbers = Numbers(net.numbers)
    net = replace(net, numbers=numbers)
    shapes = _stated_shapes(graph, net)
    facts = Facts(net, shapes)
    for node in net.nodes:
        _add_shape(node, shapes, facts)
        _add_split(node, shapes, facts)
        _add_further(node, shapes, facts)
        _add_number(node, numbers, shapes, facts, read)
    return shapes, net


def _stated_shapes(graph: Graph, net: Net) -> dict[str, Shape]:
    """What the file states: of inputs and outputs, of constants, of values here and there."""
    infos = (*graph.inputs, *graph.outputs, *graph.value_infos)
    shapes: dict[str, Shape] = {info.name: info.shape for info in infos if info.shape is not None}
    constants = net.constants.items()
    shapes.update({name: constant.shape for name, constant in constants if constant.shape is not None})
    shapes.update({name: array.shape for name, array in net.numbers.items()})
    return shapes


def _add_shape(node: Node, shapes: dict[str, Shape], facts: Facts) -> None:
    output = node.outputs[0] if node.outputs else ""
    is_known = output in shapes and None not in shapes[output][1:]
    if not output or is_known:
        return
    inputs = [shapes.get(value) for value in node.inputs]
    shape = _shape(node, inputs, facts)
    if shape is not None:
        shapes[output] = shape


def _shape(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    """The shape of a node's first output; None where it does not follow."""
    if node.op == "ConstantOfShape":
        return vector_elements(node.inputs[0], facts)
    if not inputs or inputs[0] is None:
        return None
    if node.op in SAME:
        return inputs[0]
    if node.op in BROADCAST:
        return broadcast(inputs)
    rule = RULES.get(node.op)
    try:
        return rule(node, inputs, facts) if rule else None
    except (IndexError, KeyError, ValueError, ZeroDivisionError, TypeError):
        return None  # shapes that contradict each other: not known


def _add_split(node: Node, shapes: dict[str, Shape], facts: Facts) -> None:
    if node.op != "Split" or not node.inputs or node.inputs[0] not in shapes:
        return
    parts = reshaping.split(node, shapes[node.inputs[0]], facts)
    for value, shape in parts.items():
        shapes.setdefault(value, shape)


def _add_further(node: Node, shapes: dict[str, Shape], facts: Facts) -> None:
    for value, shape in further.further_shapes(node, facts).items():
        shapes.setdefault(value, shape)


def _add_number(
    node: Node, numbers: dict[str, Array], shapes: dict[str, Shape], facts: Facts, read: Read
) -> None:
    output = node.outputs[0] if node.outputs else None
    if output is None or output not in facts.net.fixed:
        return
    if output in numbers or output in facts.net.constants:
        return
    number = _number(node, facts, read)
    if number is not None:
        numbers[output] = number
        shapes.setdefault(output, number.shape)


def _number(node: Node, facts: Facts, read: Read) -> Array | None:
    """What a node computes from the lengths of axes that are known."""
    if node.op == "Shape":
        lengths = vector_elements(node.outputs[0], facts)
        return None if lengths is None or None in lengths else np.array(lengths, np.int64)
    found = evaluate(node, facts.net.numbers, read)
    if found is None and node.outputs[0] in facts.net.uniform:
        return _filled(node, facts)
    if found is not None or node.op not in ("Gather", "Slice"):
        return found
    stored = stored_part(node, facts.net.numbers, facts.net.constants, read)
    return _part(node, facts) if stored is None else stored


def _filled(node: Node, facts: Facts) -> Array | None:
    """One number everywhere, in a shape that is known."""
    shape = facts.shapes.get(node.outputs[0])
    if shape is None or None in shape or prod(n or 0 for n in shape) > MOST:
        return None
    return np.full([n or 0 for n in shape], facts.net.uniform[node.outputs[0]])


def _part(node: Node, facts: Facts) -> Array | None:
    """Elements of a shape that are known, whatever the others are."""
    index = facts.net.numbers.get(node.inputs[1]) if len(node.inputs) > 1 else None
    elements = None if index is None else vector_elements(node.outputs[0], facts)
    if index is None or elements is None or None in elements:
        return None
    return np.array(elements, np.int64).reshape(index.shape if node.op == "Gather" else -1)


def broadcast(inputs: Sequence[Shape | None]) -> Shape | None:
    """The shape of what is joined element by element; None where one is not known."""
    shapes = [s for s in inputs if s is not None]
    if len(shapes) < len(inputs):
        return None
    rank = max(len(s) for s in shapes)
    padded = [with_leading_ones(s, rank) for s in shapes]
    return tuple(_broadcast_length(lengths) for lengths in zip(*padded, strict=True))


def _broadcast_length(lengths: tuple[int | None, ...]) -> int | None:
    """The length of an axis that has these in each of the shapes."""
    longer = [n for n in lengths if n not in (None, 1)]
    if None in lengths:
        return max((n for n in longer if n is not None), default=None)
    return longer[0] if longer else 1


def _matmul(_: Node, inputs: list[Shape | None], __: Facts) -> Shape | None:
    left, right = inputs[0], inputs[1]
    if left is None or right is None or len(left) < 2 or len(right) < 2:
        return None
    batch = broadcast([left[:-2], right[:-2]])
    return None if batch is None else (*batch, left[-2], right[-1])


def _gemm(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    left, right = inputs[0], inputs[1]
    if left is None or right is None:
        return None
    row_axis = 1 if node.attributes.get("transA") else 0
    column_axis = 0 if node.attributes.get("transB") else 1
    return left[row_axis], right[column_axis]


def _reduce(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    shape = inputs[0] or ()
    axes = axes_of(node, facts.net.numbers) or range(len(shape))
    reduced = {axis % len(shape) for axis in axes}
    if not node.attributes.get("keepdims", 1):
        return without_axes(shape, reduced)
    return tuple(1 if i in reduced else n for i, n in enumerate(shape))


def _of_largest(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    """ArgMax and ArgMin: along one axis."""
    shape = inputs[0] or ()
    axis = int(node.attributes.get("axis", 0)) % len(shape)
    kept = (1,) if node.attributes.get("keepdims", 1) else ()
    return (*shape[:axis], *kept, *shape[axis + 1 :])


def _gather(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    shape, index = inputs[0] or (), inputs[1]
    axis = int(node.attributes.get("axis", 0)) % max(len(shape), 1)
    return None if index is None else (*shape[:axis], *index, *shape[axis + 1 :])


def _recurrent(node: Node, inputs: list[Shape | None], __: Facts) -> Shape | None:
    """X (steps, batch, inputs) and R (directions, gates, units) -> (steps, directions, batch, units)."""
    sequence, recurrent_kernel = inputs[0], inputs[2]
    if sequence is None or recurrent_kernel is None:
        return None
    if TOLD in node.attributes:  # R (units, gates), no directions
        return sequence[0], sequence[1], recurrent_kernel[0]
    return sequence[0], recurrent_kernel[0], sequence[1], recurrent_kernel[2]


RULES: Mapping[str, Rule] = {
    **windows.RULES,
    **reshaping.RULES,
    **further.RULES,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "ReduceMean": _reduce,
    "ReduceMax": _reduce,
    "ReduceSum": _reduce,
    "ReduceMin": _reduce,
    "ReduceProd": _reduce,
    "ReduceL2": _reduce,
    **dict.fromkeys(("ArgMax", "ArgMin"), _of_largest),
    "Gather": _gather,
    "GatherElements": lambda _, inputs, __: inputs[1],
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}
