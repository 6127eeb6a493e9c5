"""A sum along an axis of true and false, which torch counts and ONNX's CumSum does not take."""

from typing import Any

import onnx

LOGICAL = frozenset({
    "Not", "And", "Or", "Xor", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "IsNaN", "IsInf",
})  # fmt: skip


def count_booleans(proto: Any) -> bool:
    """Puts a Cast in front of each CumSum of booleans. False where there is none."""
    makers = {value: node for node in proto.graph.node for value in node.output}
    nodes = list(proto.graph.node)
    summed = [node for node in nodes if node.op_type == "CumSum" and _is_boolean(makers.get(node.input[0]))]
    for node in summed:
        counted = f"{node.output[0]}/counted"
        cast = onnx.helper.make_node("Cast", [node.input[0]], [counted], to=onnx.TensorProto.INT64)
        node.input[0] = counted
        nodes.insert(nodes.index(node), cast)
    if summed:
        del proto.graph.node[:]
        proto.graph.node.extend(nodes)
    return bool(summed)


def _is_boolean(maker: Any) -> bool:
    if maker is None:
        return False
    if maker.op_type == "Cast":
        return any(one.name == "to" and one.i == onnx.TensorProto.BOOL for one in maker.attribute)
    return maker.op_type in LOGICAL
