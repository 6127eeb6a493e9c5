"""A row of joined tensors is a row of one of them: the last state of recurrent layers in a stack."""

from collections.abc import Mapping
from typing import Any

import onnx

from weightbridge.formats.torch.modules.lengths import constants_of, dims_of


def rows_of_parts(proto: Any) -> bool:
    """Each Gather of one constant row, from a Concat of the first axis, reads the part that it is in."""
    joined = {node.output[0]: node for node in proto.graph.node if node.op_type == "Concat"}
    taking = [node for node in proto.graph.node if node.op_type == "Gather" and node.input[0] in joined]
    if not taking:
        return False
    numbers, dims = constants_of(proto), dims_of(proto)
    moved = [_moved(proto, node, joined[node.input[0]], numbers, dims) for node in taking]
    return any(moved)


def _moved(proto: Any, node: Any, joined: Any, numbers: Mapping[str, Any], dims: Mapping[str, Any]) -> bool:
    index = numbers.get(node.input[1])
    lengths = [dims.get(name, (None,))[0] for name in joined.input]
    if index is None or index.size != 1 or None in lengths or _axis(joined) or _axis(node):
        return False
    place = int(index.reshape(-1)[0]) % max(sum(lengths), 1)
    for name, length in zip(joined.input, lengths, strict=True):
        if place < length:
            told = onnx.numpy_helper.from_array(index * 0 + place)
            constant = onnx.helper.make_node("Constant", [], [f"{node.output[0]}/row"], value=told)
            node.input[0], node.input[1] = name, constant.output[0]
            proto.graph.node.insert(0, constant)
            return True
        place -= length
    return False


def _axis(node: Any) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "axis"), 0)
