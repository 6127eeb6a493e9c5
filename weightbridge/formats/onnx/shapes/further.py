"""Shapes behind nodes that pick, sum by an equation or resize, and of outputs behind a node's first one."""

from collections.abc import Mapping

import numpy as np

from weightbridge.formats.onnx.proto import TOLD, Node
from weightbridge.formats.onnx.shapes.rule import Facts, Rule, Shape
from weightbridge.formats.onnx.shapes.vectors import vector_elements

RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
SCALES, SIZES = 2, 3  # inputs of Resize


def further_shapes(node: Node, facts: Facts) -> Mapping[str, Shape]:
    """Of a recurrent node's last states: (directions, batch, units)."""
    inputs = [facts.shapes.get(name) for name in node.inputs[:3]]
    if node.op not in RECURRENT or None in inputs or len(inputs) < 3 or TOLD in node.attributes:
        return {}
    sequence, _, recurrent_kernel = inputs
    if sequence is None or recurrent_kernel is None or len(sequence) != 3 or len(recurrent_kernel) != 3:
        return {}
    batch = sequence[0] if node.attributes.get("layout") else sequence[1]
    shape = (recurrent_kernel[0], batch, recurrent_kernel[2])
    return {name: shape for name in node.outputs[1:] if name}


def _einsum(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    equation = str(node.attributes.get("equation", ""))
    fed, arrow, made = equation.replace(" ", "").partition("->")
    terms = fed.split(",")
    if "." in equation or not arrow or len(terms) != len(inputs):
        return None
    lengths: dict[str, int | None] = {}
    for term, shape in zip(terms, inputs, strict=True):
        lengths |= _of_letters(term, shape or (), lengths)
    return tuple(lengths[letter] for letter in made)  # a letter that no shape has: not known


def _of_letters(term: str, shape: Shape, known: Mapping[str, int | None]) -> dict[str, int | None]:
    """A length that is known already stays, but for a one, which is repeated."""
    pairs = zip(term, shape, strict=True)
    return {letter: length if known.get(letter) in (None, 1) else known[letter] for letter, length in pairs}


def _one_hot(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    shape, depth = inputs[0] or (), facts.net.numbers.get(node.inputs[1])
    axis = int(node.attributes.get("axis", -1)) % (len(shape) + 1)
    length = int(np.ravel(depth)[0]) if depth is not None and np.size(depth) == 1 else None
    return (*shape[:axis], length, *shape[axis:])


def _resize(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    """By its sizes, else by its scales."""
    shape, told = inputs[0] or (), [*node.inputs, "", "", ""]
    if "axes" in node.attributes:
        return None
    return _of_sizes(shape, told[SIZES], facts) if told[SIZES] else _of_scales(shape, told[SCALES], facts)


def _of_sizes(shape: Shape, name: str, facts: Facts) -> Shape | None:
    sizes = vector_elements(name, facts)
    return sizes if sizes is not None and len(sizes) == len(shape) else None


def _of_scales(shape: Shape, name: str, facts: Facts) -> Shape | None:
    scales = facts.net.numbers.get(name)
    if scales is None or np.size(scales) != len(shape):
        return None
    factors = [float(one) for one in np.ravel(scales)]
    return tuple(None if n is None else int(n * one) for n, one in zip(shape, factors, strict=True))


RULES: Mapping[str, Rule] = {"Einsum": _einsum, "OneHot": _one_hot, "Resize": _resize}
