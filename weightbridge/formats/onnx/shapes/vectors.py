"""Elements of integer vectors that hold a shape, as they follow from numbers and other shapes."""

from collections.abc import Callable, Mapping
from math import prod

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.shapes.rule import Facts
from weightbridge.formats.onnx.values.net import Net
from weightbridge.formats.onnx.values.views import axes_of

Elements = tuple[int | None, ...]  # None for an element that is not known, -n for n times such a one

DEEPEST = 20  # nodes that are followed
LONGEST = 64  # elements of a vector whose values are not known


def requested_shape(node: Node, facts: Facts) -> Elements | None:
    """The shape that a Reshape asks for; None where not even the number of its axes is known."""
    if node.attributes.get("shape"):
        return tuple(node.attributes["shape"])
    if len(node.inputs) < 2:
        return None
    return vector_elements(node.inputs[1], facts)


def vector_elements(value: str, facts: Facts, depth: int = DEEPEST) -> Elements | None:
    """The elements of an integer vector; None where not even their number is known."""
    told, node = facts.net.elements(value), facts.net.source(value)
    if told is not None:
        return told
    if node is None or not depth:
        return None
    match node.op:
        case "Shape":
            return _of_shape(node, facts.shapes.get(node.inputs[0]))
        case "Concat":
            return _concatenated(node, facts, depth - 1)
        case "Max":
            return _longest(node, facts, depth - 1)
        case op if op in OF_FIRST:
            return OF_FIRST[op](node, vector_elements(node.inputs[0], facts, depth - 1), facts.net)
    return None


def _of_shape(node: Node, shape: Elements | None) -> Elements | None:
    """The lengths of all axes, or of some in a row (from opset 15 on)."""
    first, last = node.attributes.get("start", 0), node.attributes.get("end")
    return None if shape is None else shape[first:last]


def _same(_: Node, elements: Elements | None, __: Net) -> Elements | None:
    return elements


def _calculated(_: Node, elements: Elements | None, __: Net) -> Elements | None:
    return (None,) if elements is not None and len(elements) == 1 else None


def _multiplied(node: Node, elements: Elements | None, net: Net) -> Elements | None:
    """The product of all elements, as a vector of one; -n is n times what is not known."""
    axes = axes_of(node, net.numbers)
    if elements is None or axes not in (None, (), (0,)):
        return None
    known = prod(n for n in elements if n is not None)
    if None not in elements:
        return (known,)
    return (-known if known > 1 else None,)


def _concatenated(node: Node, facts: Facts, depth: int) -> Elements | None:
    joined: list[int | None] = []
    for value in node.inputs:
        elements = vector_elements(value, facts, depth)
        if elements is None:
            return None
        joined.extend(elements)
    return tuple(joined)


def _longest(node: Node, facts: Facts, depth: int) -> Elements | None:
    """The lengths of axes that are broadcast; one that is not known is 1, or the same as the other."""
    vectors = [vector_elements(value, facts, depth) for value in node.inputs]
    known = [elements for elements in vectors if elements is not None]
    if not known or len(known) < len(vectors) or len({len(elements) for elements in known}) > 1:
        return None
    return tuple(_longer(lengths) for lengths in zip(*known, strict=True))


def _longer(lengths: Elements) -> int | None:
    stated = [n for n in lengths if n is not None and n > 1]
    if stated:
        return max(stated)
    return None if None in lengths else 1


def _picked(node: Node, elements: Elements | None, net: Net) -> Elements | None:
    """Elements by index or by range; so many unknown ones where the vector itself is not known."""
    numbers = [net.integers(v) for v in node.inputs[1:3]]
    if not numbers or not numbers[0]:
        return None
    if node.op == "Gather":
        return tuple(_element(elements, i) for i in numbers[0])
    start = numbers[0][0]
    ends = numbers[1] if len(numbers) > 1 else None
    end = ends[0] if ends else 0
    if elements is not None:
        return elements[start:end]
    has_length = 0 <= start < end < LONGEST
    return (None,) * (end - start) if has_length else None


def _element(elements: Elements | None, index: int) -> int | None:
    if elements is None or not -len(elements) <= index < len(elements):
        return None
    return elements[index]


OF_FIRST: Mapping[str, Callable[[Node, Elements | None, Net], Elements | None]] = {  # by the first input's
    **dict.fromkeys(("Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape"), _same),
    **dict.fromkeys(("Gather", "Slice"), _picked),
    **dict.fromkeys(("Mul", "Div", "Add", "Sub"), _calculated),
    "ReduceProd": _multiplied,
}
