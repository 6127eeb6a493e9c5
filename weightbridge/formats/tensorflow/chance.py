"""Dropout that keeps everything, as graphs that were frozen outside of training have it: none.

RandomUniform gives numbers from 0 up to 1: none is below 0, and 1 with one of them added is 1 rounded down.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tensorflow.flow import Flow
from weightbridge.model.tensors import Array

RANDOM = "RandomUniform"
ZERO_TO_ONE = frozenset({"Identity", "Mul", "Add"})  # with one and zero, as TensorFlow scales the numbers
MOST = 4
Numbers = Callable[[str], Array | None]


def without_chance(nodes: Sequence[Node], outputs: Sequence[str], numbers: Numbers) -> list[Node]:
    """numbers: the values of a small constant."""
    if not any(node.op == RANDOM for node in nodes):
        return list(nodes)
    flow = Flow(nodes, outputs)
    always = {node.outputs[0] for node in nodes if _is_always(node, flow, numbers)}
    return _without_unread([_kept(node, always) for node in nodes], outputs)


def _without_unread(nodes: list[Node], outputs: Sequence[str]) -> list[Node]:
    """Without the numbers that nothing reads any more, and what was made of them."""
    made = _of_chance(nodes)
    while True:
        read = {value for node in nodes for value in node.inputs}.union(outputs)
        left = [node for node in nodes if node.outputs[0] in read or node.outputs[0] not in made]
        if len(left) == len(nodes):
            return left
        nodes = left


def _of_chance(nodes: Sequence[Node]) -> set[str]:
    made: set[str] = set()
    for node in nodes:
        if node.op == RANDOM or not made.isdisjoint(node.inputs):
            made.add(node.outputs[0])
    return made


def _is_always(node: Node, flow: Flow, numbers: Numbers) -> bool:
    """Whether a node says of every place that it is kept: by true, or by one."""
    if node.op == "GreaterOrEqual" and _is_random(node.inputs[0], flow, numbers):
        return _is_number(node.inputs[1], 0.0, numbers)
    added = flow.maker.get(node.inputs[0]) if node.op == "Floor" else None
    if added is None or added.op != "Add":
        return False
    sides = added.inputs, added.inputs[::-1]
    return any(_is_random(x, flow, numbers) and _is_number(n, 1.0, numbers) for x, n in sides)


def _is_random(value: str, flow: Flow, numbers: Numbers) -> bool:
    for _ in range(MOST):
        maker = flow.maker.get(value)
        if maker is None or maker.op == RANDOM:
            return maker is not None
        neutral = {"Mul": 1.0, "Add": 0.0}.get(maker.op)
        is_same = neutral is None or _is_number(maker.inputs[1], neutral, numbers)
        if maker.op not in ZERO_TO_ONE or not is_same:
            return False
        value = maker.inputs[0]
    return False


def _is_number(value: str, wanted: float, numbers: Numbers) -> bool:
    array = numbers(value)
    return array is not None and array.size == 1 and float(array.reshape(-1)[0]) == wanted


def _kept(node: Node, always: set[str]) -> Node:
    """What chooses by these, or multiplies with them, hands its data on."""
    if node.op == "Where" and node.inputs[0] in always:
        return replace(node, op="Identity", inputs=node.inputs[1:2])
    others = tuple(value for value in node.inputs if value not in always)
    is_product = node.op == "Mul" and len(others) == 1 and len(node.inputs) == len(others) + 1
    return replace(node, op="Identity", inputs=others) if is_product else node
