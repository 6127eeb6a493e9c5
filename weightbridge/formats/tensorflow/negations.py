"""A product with a negated constant: the product, negated. So Keras's PReLU reads its slopes as they are.

Neg(slope) * x    is    Neg(slope * x)
"""

from collections.abc import Container, Sequence
from dataclasses import replace

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.quantised.lower import ADDED


def with_negated_products(nodes: Sequence[Node], constants: Container[str]) -> list[Node]:
    """constants: the values that are tensors of the file."""
    negated = {n.outputs[0]: n.inputs[0] for n in nodes if n.op == "Neg" and n.inputs[0] in constants}
    return [written for node in nodes for written in _written(node, negated)]


def _written(node: Node, negated: dict[str, str]) -> list[Node]:
    inputs = tuple(negated.get(value, value) for value in node.inputs)
    count = sum(value in negated for value in node.inputs)
    if node.op != "Mul" or count != 1:
        return [node]
    product = f"{node.outputs[0]}{ADDED}product"
    made = replace(node, inputs=inputs, outputs=(product,))
    return [made, Node(node.name, "Neg", "", (product,), node.outputs, {})]
