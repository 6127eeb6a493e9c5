"""A small part of a large table of whole numbers: the corner of a causal mask that a model uses."""

from collections.abc import Mapping

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.constants import Constant, Read
from weightbridge.formats.onnx.values.evaluate import INTEGERS, evaluate
from weightbridge.model.tensors import Array

LARGEST = 1 << 24  # elements of a table that is read for a part of it


def stored_part(
    node: Node, numbers: Mapping[str, Array], constants: Mapping[str, Constant], read: Read
) -> Array | None:
    """What a Slice or a Gather takes of a stored table; None where that is a weight or is not known."""
    table = constants.get(node.inputs[0]) if node.inputs else None
    if table is None or table.views or table.header.elem_type not in INTEGERS or table.size > LARGEST:
        return None
    others = node.inputs[1:]
    if node.domain or not others or any(value not in numbers for value in others if value):
        return None
    told = {value: numbers[value] for value in others if value}
    return evaluate(node, {**told, node.inputs[0]: read(table.header)}, read)
