"""Quantised operators as the operators that they stand for, their weights behind a DequantizeLinear.

    ConvInteger, Cast, Mul -> Conv        QLinearConv -> DequantizeLinear, Conv, QuantizeLinear

What is not known exactly (a scale that is computed, a zero point that is data) stays as it is.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from weightbridge.formats.onnx.proto import Graph, Node
from weightbridge.formats.onnx.quantised.products import DYNAMIC, Quantised, axis_of_scale, quantised, scaled
from weightbridge.formats.onnx.quantised.values import Values, argument, values_of
from weightbridge.formats.onnx.values.constants import FACTOR

MICROSOFT = "com.microsoft"
ADDED = ":weightbridge:"  # in the names of values that the file does not have
SCALE, ZERO_POINT = "_scale", "_zero_point"
CONVOLUTIONS = {"ConvInteger": "Conv", "QLinearConv": "Conv"}


def lowered(graph: Graph) -> Graph:
    """The graph with its quantised operators on floats."""
    if not any(_key(node) in OPERATORS for node in graph.nodes):
        return graph
    values = values_of(graph)
    if not any(values.is_codes(value) for value in values.tensors):
        return graph
    lowering = _Lowering(values)
    nodes = [written for index in range(len(graph.nodes)) for written in lowering.node(index)]
    return replace(graph, nodes=tuple(lowering.without_idle(nodes)))


def is_added(value: str) -> bool:
    """Whether a value exists in the lowered graph alone."""
    return ADDED in value


class _Lowering:
    """One pass over a graph.

    dropped: nodes whose work others do now. floats: the values that have the floats of codes.
    """

    def __init__(self, values: Values) -> None:
        self.values = values
        self.dropped: set[int] = set()
        self.floats: dict[tuple[str, ...], str] = {}

    def node(self, index: int) -> Iterator[Node]:
        """What stands in the place of a node."""
        node = self.values.nodes[index]
        if index in self.dropped:
            return
        operator = OPERATORS.get(_key(node)) if any(node.outputs[:1]) else None
        written = operator(self, node) if operator else None
        yield from (node,) if written is None else written

    def without_idle(self, nodes: list[Node]) -> Iterator[Node]:
        """Without the quantisation of data that nothing reads any more."""
        read = {value for node in nodes for value in node.inputs} | self.values.outputs
        for node in nodes:
            if node.op not in (DYNAMIC, "Gather") or not read.isdisjoint(node.outputs):
                yield node

    def dequantised(
        self, codes: str, scale: str, zero: str, *, axis: int, factor: str = ""
    ) -> tuple[str, list[Node]]:
        """The value that has the floats of codes, and the node that makes it, where none does yet."""
        key = (codes, scale, zero, str(axis), factor)
        if key in self.floats:
            return self.floats[key], []
        floats = f"{codes}{ADDED}floats{len(self.floats)}"
        self.floats[key] = floats
        attributes: dict[str, Any] = {"axis": axis} | ({FACTOR: factor} if factor else {})
        inputs = tuple(value for value in (codes, scale, zero) if value)
        return floats, [Node("", "DequantizeLinear", "", inputs, (floats,), attributes)]


Operator = Callable[[_Lowering, Node], list[Node] | None]


def _key(node: Node) -> tuple[str, str]:
    return node.domain, node.op


def _integer_product(lowering: _Lowering, node: Node) -> list[Node] | None:
    """MatMulInteger and ConvInteger, with the Cast and the products behind them."""
    values, op = lowering.values, CONVOLUTIONS.get(node.op, "MatMul")
    at = 1 if values.is_codes(argument(node, 1)) else 0  # the weights' place, the data have the other
    codes, zero = argument(node, at), argument(node, at + 2)
    data, looked_up = _data(lowering, argument(node, 1 - at), argument(node, 3 - at))
    if not values.is_codes(codes) or not values.are_known(zero) or data is None:
        return None
    if data.zero != argument(node, 3 - at) or (at == 0 and op == "Conv"):
        return None
    chain = scaled(values, node, data.scale)
    axis = None if chain is None else axis_of_scale(values, codes, chain.scale, op, at)
    if chain is None or axis is None:
        return None
    floats, added = lowering.dequantised(codes, chain.scale, zero, axis=axis)
    inputs = (data.floats, floats) if at == 1 else (floats, data.floats)
    product = replace(node, op=op, domain="", inputs=inputs, outputs=(chain.output,))
    lowering.dropped.update(chain.nodes)
    return [*looked_up, *added, product]


def _data(lowering: _Lowering, codes: str, zero: str) -> tuple[Quantised | None, list[Node]]:
    """What was quantised to a product's other factor, and the nodes that its floats need."""
    data = quantised(lowering.values, codes)
    return _looked_up(lowering, codes, zero) if data is None else (data, [])


def _looked_up(lowering: _Lowering, codes: str, zero: str) -> tuple[Quantised | None, list[Node]]:
    """Codes that are rows of a table, as onnxruntime leaves a look-up before a product.

    It names scale and zero point after the table: `e_quantized`, `e_scale`, `e_zero_point`.
    """
    values, base = lowering.values, zero.removesuffix(ZERO_POINT)
    source, scale = values.source(codes), f"{base}{SCALE}"
    if source is None or source.op != "Gather" or base == zero or not values.is_scale(scale):
        return None, []
    table = source.inputs[0]
    if not values.is_codes(table) or not table.startswith(base) or values.long_axis(scale) != 0:
        return None, []
    rows, added = lowering.dequantised(table, scale, zero, axis=0)
    floats = f"{codes}{ADDED}rows"
    if added:
        added.append(replace(source, inputs=(rows, source.inputs[1]), outputs=(floats,)))
    return Quantised(floats, scale, zero), added


def _linear_convolution(lowering: _Lowering, node: Node) -> list[Node] | None:
    values = lowering.values
    data_scale, data_zero, codes, scale, zero = node.inputs[1:6]
    if not values.is_codes(codes) or not values.are_known(data_scale, scale, zero, argument(node, 8)):
        return None
    kernel, added = lowering.dequantised(codes, scale, zero, axis=0)
    data, nodes = lowering.dequantised(node.inputs[0], data_scale, data_zero, axis=1)
    inputs, biases = [data, kernel], list[Node]()
    if argument(node, 8):
        bias, biases = lowering.dequantised(node.inputs[8], scale, "", axis=0, factor=data_scale)
        inputs.append(bias)
    product = replace(node, op="Conv", inputs=tuple(inputs))
    return [*nodes, *added, *biases, *_quantised_again(product, *node.inputs[6:8])]


def _linear_product(lowering: _Lowering, node: Node) -> list[Node] | None:
    values = lowering.values
    a, a_scale, a_zero, b, b_scale, b_zero = node.inputs[:6]
    is_known = values.are_known(a_scale, a_zero, b_scale, b_zero)
    if not is_known or values.is_codes(a) == values.is_codes(b):
        return None
    first, added = lowering.dequantised(a, a_scale, a_zero, axis=0)
    second, more = lowering.dequantised(b, b_scale, b_zero, axis=1)
    product = replace(node, op="MatMul", domain="", inputs=(first, second))
    return [*added, *more, *_quantised_again(product, *node.inputs[6:8])]


def _quantised_again(product: Node, scale: str, zero: str) -> list[Node]:
    """A product whose floats are codes at once; without a scale the floats are the output."""
    output = product.outputs[0]
    if not scale:
        return [product]
    floats = f"{output}{ADDED}product"
    inputs = (floats, scale, zero) if zero else (floats, scale)
    return [replace(product, outputs=(floats,)), Node("", "QuantizeLinear", "", inputs, (output,), {})]


def _gemm(lowering: _Lowering, node: Node) -> list[Node] | None:
    """com.microsoft's QGemm: (A, scale, zero), (B, scale, zero), C, (scale, zero) of the output."""
    values = lowering.values
    data, data_scale, data_zero, codes, scale, zero, bias = (argument(node, i) for i in range(7))
    is_known = values.are_known(data_scale, data_zero, scale, zero, bias)
    if not is_known or not values.is_codes(codes) or node.attributes.get("alpha", 1.0) != 1.0:
        return None
    axis = 0 if node.attributes.get("transB", 0) else 1
    floats, nodes = lowering.dequantised(data, data_scale, data_zero, axis=1)
    kernel, added = lowering.dequantised(codes, scale, zero, axis=axis)
    inputs, biases = [floats, kernel], list[Node]()
    if bias:
        value, biases = lowering.dequantised(bias, scale, "", axis=0, factor=data_scale)
        inputs.append(value)
    product = replace(node, op="Gemm", domain="", inputs=tuple(inputs))
    return [*nodes, *added, *biases, *_quantised_again(product, argument(node, 7), argument(node, 8))]


def _dynamic_product(lowering: _Lowering, node: Node) -> list[Node] | None:
    """com.microsoft's DynamicQuantizeMatMul: floats, codes, their scale and zero point, a bias of floats."""
    codes, scale, zero, bias = (argument(node, i) for i in range(1, 5))
    return _float_product(lowering, node, argument(node, 0), (codes, scale, zero), bias)


def _product_to_floats(lowering: _Lowering, node: Node) -> list[Node] | None:
    """com.microsoft's MatMulIntegerToFloat: A, B, their scales, their zero points, a bias of floats."""
    data = quantised(lowering.values, argument(node, 0))
    if data is None or (data.scale, data.zero) != (argument(node, 2), argument(node, 4)):
        return None
    codes, scale, zero, bias = (argument(node, i) for i in (1, 3, 5, 6))
    return _float_product(lowering, node, data.floats, (codes, scale, zero), bias)


def _float_product(
    lowering: _Lowering, node: Node, data: str, weight: tuple[str, str, str], bias: str
) -> list[Node] | None:
    codes, scale, zero = weight
    values = lowering.values
    if not values.is_codes(codes) or not values.is_scale(scale) or not values.are_known(zero):
        return None
    floats, added = lowering.dequantised(codes, scale, zero, axis=len(values.tensors[codes].dims) - 1)
    product = replace(node, op="MatMul", domain="", inputs=(data, floats), attributes={})
    if not bias:
        return [*added, product]
    before = f"{node.outputs[0]}{ADDED}product"
    addition = Node(node.name, "Add", "", (before, bias), node.outputs, {})
    return [*added, replace(product, outputs=(before,)), addition]


def _lookup(lowering: _Lowering, node: Node) -> list[Node] | None:
    """A look-up of codes and the DequantizeLinear behind it: a look-up of floats."""
    values = lowering.values
    at = values.only_reader(node.outputs[0])
    behind = None if at is None else values.nodes[at]
    if at is None or behind is None or behind.op != "DequantizeLinear" or not values.is_codes(node.inputs[0]):
        return None
    scale, zero = argument(behind, 1), argument(behind, 2)
    if behind.inputs[0] != node.outputs[0] or not values.is_scale(scale) or values.long_axis(scale) != 0:
        return None
    floats, added = lowering.dequantised(node.inputs[0], scale, zero, axis=0)
    lowering.dropped.add(at)
    return [*added, replace(node, inputs=(floats, node.inputs[1]), outputs=behind.outputs)]


OPERATORS: Mapping[tuple[str, str], Operator] = {
    ("", "MatMulInteger"): _integer_product,
    ("", "ConvInteger"): _integer_product,
    ("", "QLinearConv"): _linear_convolution,
    ("", "QLinearMatMul"): _linear_product,
    ("", "Gather"): _lookup,
    (MICROSOFT, "QGemm"): _gemm,
    (MICROSOFT, "DynamicQuantizeMatMul"): _dynamic_product,
    (MICROSOFT, "MatMulIntegerToFloat"): _product_to_floats,
}
