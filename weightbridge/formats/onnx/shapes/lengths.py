"""Lengths that a file leaves open: what depends on them is found by trying two lengths for each.

What comes out the same for both does not depend on them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from weightbridge.formats.onnx.proto import Graph, ValueInfo
from weightbridge.formats.onnx.shapes.rule import Shape
from weightbridge.formats.onnx.values.fixed import SHAPES
from weightbridge.formats.onnx.values.net import Net
from weightbridge.model.tensors import Array

# Primes, so that no quotient of one by a usual length is a whole number.
FIRST, SECOND = (1009, 1013, 1019, 1021), (1031, 1033, 1039, 1049)
Tried = tuple[dict[str, Shape], Net]


def is_left_open(net: Net) -> bool:
    """Whether a node reads the length of an axis that is not known."""
    return any(node.op in SHAPES and not net.numbers.keys() & set(node.outputs) for node in net.nodes)


def tries(graph: Graph) -> Iterator[Graph]:
    """The graph with two lengths for each open axis: the first axis of all inputs has one, as a batch."""
    return (_closed(graph, lengths) for lengths in (FIRST, SECOND))


def batches(graph: Graph) -> Iterator[Graph]:
    """The graph with a batch of one, and of two."""
    return (_closed(graph, (batch, *FIRST[1:])) for batch in (1, 2))


def repeated(net: Net, one: Net, two: Net) -> dict[str, Array]:
    """Small numbers that are the same for every item of a batch, whatever its length: those of one item."""
    values = (one.numbers.keys() & two.numbers.keys()) - net.numbers.keys()
    pairs = {value: (one.numbers[value], two.numbers[value]) for value in values}
    return {value: a for value, (a, b) in pairs.items() if _is_repeated(a, b)}


def strided(net: Net, one: Net, two: Net) -> dict[str, tuple[Array, int]]:
    """Small integers of one item, and by how much those of each further item of a batch are larger."""
    values = (one.numbers.keys() & two.numbers.keys()) - net.numbers.keys()
    pairs = {value: (one.numbers[value], two.numbers[value]) for value in values}
    return {value: (a, int((b[1] - b[0]).flat[0])) for value, (a, b) in pairs.items() if _is_strided(a, b)}


def _is_strided(one: Array, two: Array) -> bool:
    is_of_items = one.ndim > 0 and one.shape[0] == 1 and two.shape == (2, *one.shape[1:])
    if not is_of_items or one.dtype.kind not in "iu" or not one.size or not (two[:1] == one).all():
        return False
    steps = two[1] - two[0]
    return bool(steps.flat[0] > 0 and (steps == steps.flat[0]).all())


def _is_repeated(one: Array, two: Array) -> bool:
    is_of_items = one.ndim > 1 and one.shape[0] == 1 and two.shape == (2, *one.shape[1:])
    return is_of_items and one.dtype.kind in "biuf" and np.array_equal(two, np.concatenate([one, one]))


def _closed(graph: Graph, lengths: Sequence[int]) -> Graph:
    """The graph with these lengths for the open axes of its inputs, and no other shapes that it states."""
    inputs = tuple(_with_lengths(info, lengths) for info in graph.inputs)
    return replace(graph, inputs=inputs, outputs=(), value_infos=())


def _with_lengths(info: ValueInfo, lengths: Sequence[int]) -> ValueInfo:
    if info.shape is None:
        return info
    given = [lengths[min(axis, len(lengths) - 1)] if n is None else n for axis, n in enumerate(info.shape)]
    return replace(info, shape=tuple(given))


def with_tried(shapes: dict[str, Shape], net: Net, tried: Sequence[Tried]) -> Tried:
    """What both tries agree on, where nothing was known."""
    (one, first), (other, second) = tried
    agreed = {value: _common(one[value], other[value]) for value in one.keys() & other.keys()}
    known = {value: _merged(shapes.get(value), shape) for value, shape in agreed.items() if shape is not None}
    fresh = (first.numbers.keys() & second.numbers.keys()) - net.numbers.keys()
    pairs = {value: (first.numbers[value], second.numbers[value]) for value in fresh}
    numbers = {value: a for value, (a, b) in pairs.items() if np.array_equal(a, b)}
    vectors = {
        value: _elements(*pairs[value]) for value in fresh - numbers.keys() if _is_vector(*pairs[value])
    }
    told = replace(
        net,
        numbers={**net.numbers, **numbers},
        vectors={**net.vectors, **vectors},
        tried=(one, {value: first.numbers[value] for value in vectors}),
    )
    return {**shapes, **known}, told


def axes_as_long(net: Net, value: str, lengths: str) -> tuple[tuple[int, ...] | None, ...]:
    """Of open lengths in a vector the axes of a value that are as long; None for what is none of them."""
    shape, numbers = net.tried[0].get(value), net.tried[1].get(lengths)
    if shape is None or numbers is None:
        return ()
    return tuple(
        tuple(axis for axis, length in enumerate(shape) if length == n) if n in FIRST else None
        for n in numbers.reshape(-1).tolist()
    )


def is_first_length(net: Net, lengths: str) -> tuple[bool | None, ...]:
    """Which lengths in a vector are the open one of the first axes, a batch's; None for what is not open."""
    numbers = net.tried[1].get(lengths)
    found = [] if numbers is None else numbers.reshape(-1).tolist()
    return tuple(n == FIRST[0] if n in FIRST else None for n in found)


def _is_vector(one: Array, other: Array) -> bool:
    return one.ndim <= 1 and one.dtype.kind in "iu" and one.size == other.size


def _elements(one: Array, other: Array) -> Shape:
    return tuple(_element(int(a), int(b)) for a, b in zip(one.flat, other.flat, strict=True))


def _element(one: int, other: int) -> int | None:
    """-n for n times an open length, None for that length itself and for what is no multiple of one."""
    if one == other:
        return one
    pairs = zip(FIRST, SECOND, strict=True)
    factors = (one // a for a, b in pairs if one % a == other % b == 0 and one // a == other // b > 1)
    return next((-factor for factor in factors), None)


def _common(one: Shape, other: Shape) -> Shape | None:
    return tuple(map(_same, one, other)) if len(one) == len(other) else None


def _same(one: int | None, other: int | None) -> int | None:
    return one if one == other else None


def _merged(known: Shape | None, tried: Shape) -> Shape:
    """What the file says goes before what a try gives."""
    if known is None or len(known) != len(tried):
        return tried if known is None else known
    return tuple(b if a is None else a for a, b in zip(known, tried, strict=True))
