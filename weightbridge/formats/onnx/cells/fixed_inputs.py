"""Constants that a recurrent node of ONNX is given beside its weights, where they change what it computes."""

import numpy as np

from weightbridge.formats.onnx.drafts import Site
from weightbridge.formats.onnx.nodes.operands import RECURRENT
from weightbridge.formats.onnx.proto import Node, TensorHeader
from weightbridge.formats.onnx.shapes.rule import Shape

LENGTHS = "sequence_lengths"
FIRST = RECURRENT.index(LENGTHS)
SPREADING = frozenset({
    "Expand", "Tile", "Reshape", "Slice", "Unsqueeze", "Squeeze", "Transpose", "Identity", "Cast", "Gather",
})  # fmt: skip
MOST_VIEWS = 16


def fixed_inputs(site: Site, node: Node) -> tuple[str, ...]:
    """Their names: states and peepholes other than zero, lengths other than that of the whole sequence."""
    given = list(zip(RECURRENT, node.inputs, strict=False))[FIRST:]
    constants = [(name, value) for name, value in given if value and not site.net.is_data(value)]
    return tuple(name for name, value in constants if not _is_idle(site, node, name, value))


def _is_idle(site: Site, node: Node, name: str, value: str) -> bool:
    numbers = _filling(site, value, MOST_VIEWS)
    if name != LENGTHS:
        return numbers == {0.0}
    shape: Shape = site.shapes.get(node.inputs[0]) or ()
    steps = dict(enumerate(shape)).get(1 if node.attributes.get("layout") else 0)
    return steps is not None and numbers == {float(steps)}


def _filling(site: Site, value: str, views: int) -> set[float] | None:
    """The numbers that it holds, whatever its shape; None where the file does not tell them."""
    numbers, constant, source = site.net.numbers.get(value), site.constant(value), site.net.source(value)
    if numbers is None and constant is not None:
        numbers = site.read(constant.header)
    if numbers is not None:
        return {float(number) for number in np.unique(numbers)}
    return None if source is None or not views else _given(site, source, views - 1)


def _given(site: Site, node: Node, views: int) -> set[float] | None:
    match node.op:
        case "ConstantOfShape":
            return _spread(site, node)
        case "Concat":
            parts = [_filling(site, value, views) for value in dict.fromkeys(node.inputs)]
            return None if None in parts else set[float]().union(*filter(None, parts))
        case op:
            return _filling(site, node.inputs[0], views) if op in SPREADING else None


def _spread(site: Site, node: Node) -> set[float]:
    filling = node.attributes.get("value")
    return {float(n) for n in site.read(filling).flat} if isinstance(filling, TensorHeader) else {0.0}
