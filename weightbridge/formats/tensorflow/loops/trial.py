"""The values of a loop's body for random states and products, step by step, without its weights.

A product with a weight is any matrix: what counts is what the body does with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from weightbridge.formats.onnx.cells.loops import ACTIVATIONS
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values import arithmetic, evaluate
from weightbridge.formats.onnx.values.slices import split_sizes
from weightbridge.formats.tensorflow.loops.body import Body, outer_of
from weightbridge.model.activations import FUNCTIONS
from weightbridge.model.tensors import Array

PRODUCTS = frozenset({"MatMul", "Gemm"})
VIEWS = frozenset({"Identity", "Cast", "Transpose", "Slice", "Split"})
ROWS, MOST_ROWS = 3, 8
MOST, DEEPEST = 400, 100  # values that are computed, and steps behind each other
SPREAD = 1.5
WIDEST = 1 << 18  # gates times units
OPEN_SPLITS = frozenset({"SplitV", "SPLIT_V"})  # whose lengths are not all known without the data
Shapes = Callable[[str], tuple[int, ...] | None]


class UnknownStep(Exception):
    """The body does what is not followed."""


@dataclass(frozen=True, slots=True)
class Part:
    """Columns of a weight. leaf: its name in the body. is_turned: it is stored as (out, in)."""

    leaf: str
    first: int
    count: int
    depth: int
    is_turned: bool


@dataclass(frozen=True, slots=True)
class Product:
    left: str
    part: Part
    value: Array


@dataclass
class Trial:
    """shapes: of the tensors outside. products, vectors, states: those that were met, in their order."""

    body: Body
    shapes: Shapes
    units: int
    seed: np.random.Generator
    known: dict[str, Array] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    vectors: dict[str, Array] = field(default_factory=dict)
    states: dict[str, Array] = field(default_factory=dict)
    depth: int = 0

    @property
    def rows(self) -> int:
        shapes = (info.shape for info in self.body.graph.inputs if info.name not in self.body.fixed)
        told = {shape[0] for shape in shapes if shape is not None and len(shape) == 2}
        only = told.pop() if len(told) == 1 else None
        return ROWS if only is None or only > MOST_ROWS else only

    def value(self, name: str) -> Array:
        """Raises UnknownStep."""
        if name not in self.known:
            if len(self.known) > MOST or self.depth > DEEPEST:
                raise UnknownStep
            self.depth += 1
            self.known[name] = self._value(name)
            self.depth -= 1
        return self.known[name]

    def _value(self, name: str) -> Array:
        if name in self.body.numbers:
            return self.body.numbers[name]
        node = self.body.maker.get(name)
        if node is None:
            return self._given(name)
        if node.op in PRODUCTS:
            return self._product(node)
        inputs = [self.value(value) if value else None for value in node.inputs]
        return computed(self.body, node, inputs)[node.outputs.index(name)]

    def _given(self, name: str) -> Array:
        if name in self.body.arguments and name not in self.body.fixed:
            self.states[name] = self.seed.normal(0, SPREAD, (self.rows, self.units))
            return self.states[name]
        shape = shape_in(self.body, name, self.shapes)
        if shape is None or len(shape) > 2 or prod(shape) > WIDEST:
            raise UnknownStep
        self.vectors[name] = self.seed.normal(0, SPREAD, shape)
        return self.vectors[name]

    def _product(self, node: Node) -> Array:
        told = node.attributes
        if told.get("transA") or told.get("alpha", 1.0) != 1.0 or told.get("beta", 1.0) != 1.0:
            raise UnknownStep
        part = self.part(node.inputs[1], is_turned=bool(told.get("transB")))
        if part.count > WIDEST:
            raise UnknownStep
        value = self.seed.normal(0, SPREAD, (self.rows, part.count))
        self.products[node.outputs[0]] = Product(node.inputs[0], part, value)
        has_bias = len(node.inputs) > 2 and node.inputs[2]
        return value + self.value(node.inputs[2]) if has_bias else value

    def part(self, value: str, *, is_turned: bool) -> Part:
        """The columns of a weight that a factor is."""
        views = self._views(value)
        value = views[-1][0].inputs[0] if views else value
        shape = shape_in(self.body, value, self.shapes)
        if shape is None or len(shape) != 2 or value in self.body.maker:
            raise UnknownStep
        grids = [np.broadcast_to(grid, shape) for grid in np.ogrid[: shape[0], : shape[1]]]
        seen = [self._seen(grid, views) for grid in grids]
        return _part(value, [grid.T if is_turned else grid for grid in seen], shape)

    def _seen(self, array: Array, views: list[tuple[Node, str]]) -> Array:
        for node, output in reversed(views):
            numbers = [self.body.numbers.get(name) for name in node.inputs[1:]]
            array = computed(self.body, node, [array, *numbers])[node.outputs.index(output)]
        return array

    def _views(self, value: str) -> list[tuple[Node, str]]:
        """What a value is seen through, the last first, each with the output that is read of it."""
        views: list[tuple[Node, str]] = []
        while value in self.body.maker and self.body.maker[value].op in VIEWS:
            if len(views) > DEEPEST:
                raise UnknownStep
            views.append((self.body.maker[value], value))
            value = views[-1][0].inputs[0]
        return views


def shape_in(body: Body, name: str, shapes: Shapes) -> tuple[int, ...] | None:
    """The shape of a tensor of the body, or of one outside that it is given."""
    header = body.tensors.get(name)
    return shapes(outer_of(body, name)) if header is None else header.dims


def _part(leaf: str, grids: list[Array], shape: tuple[int, ...]) -> Part:
    """grids: the rows and the columns that each place of the factor was stored at."""
    if any(grid.ndim != 2 for grid in grids):
        raise UnknownStep
    for across, down, is_turned in ((1, 0, False), (0, 1, True)):
        columns, rows = grids[across][0], grids[down][:, 0]
        depth = shape[down]
        in_a_row = columns.size and bool(np.array_equal(columns, columns[0] + np.arange(columns.size)))
        if in_a_row and np.array_equal(rows, np.arange(depth)):
            return Part(leaf, int(columns[0]), columns.size, depth, is_turned)
    raise UnknownStep


def computed(body: Body, node: Node, inputs: list[Any]) -> list[Array]:
    """The outputs of a node that is no product. Raises UnknownStep."""
    try:
        with np.errstate(all="ignore"):
            return _computed(body, node, inputs)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise UnknownStep from error


def _computed(body: Body, node: Node, inputs: list[Any]) -> list[Array]:
    if node.op in OPEN_SPLITS:
        return _open_split(*inputs)
    if node.domain:
        raise UnknownStep
    if node.op == "Split":
        return _split(body, node, inputs[0])
    if node.op == "Cast":
        return [np.asarray(inputs[0])]
    if node.op in arithmetic.OPERATIONS and node.op not in ("Reshape", *arithmetic.MEANS):
        named = dict(zip(map(str, range(len(inputs))), inputs, strict=True))
        renamed = Node("", node.op, "", tuple(named), ("y",), node.attributes)
        result = arithmetic.run((renamed,), named, {})
    elif node.op in ACTIVATIONS:
        result = np.asarray(FUNCTIONS[ACTIVATIONS[node.op]](inputs[0]))
    elif node.op in evaluate.OPERATIONS:
        result = evaluate.OPERATIONS[node.op](node.attributes, inputs)
    else:
        result = None
    if result is None:
        raise UnknownStep
    return [result]


def _open_split(array: Array, lengths: Array, axis: Array) -> list[Array]:
    """Where one length is -1, for what is left."""
    known, place = lengths.reshape(-1), int(axis.reshape(-1)[0])
    left = array.shape[place] - int(known[known >= 0].sum())
    return np.split(array, np.cumsum(np.where(known < 0, left, known))[:-1].tolist(), axis=place)


def _split(body: Body, node: Node, array: Array) -> list[Array]:
    axis, count = int(node.attributes.get("axis", 0)), len(node.outputs)

    def integers(value: str) -> tuple[int, ...] | None:
        numbers = body.numbers.get(value)
        return None if numbers is None else tuple(int(n) for n in numbers.reshape(-1))

    sizes = split_sizes(node, integers) or (array.shape[axis] // count,) * count
    if sum(sizes) != array.shape[axis]:
        raise UnknownStep
    return np.split(array, np.cumsum(sizes)[:-1].tolist(), axis=axis)
