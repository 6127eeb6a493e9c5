"""Shapes after nodes that turn, reshape, join or cut values."""

from collections.abc import Mapping
from math import prod

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.shapes.rule import Facts, Rule, Shape, with_leading_ones
from weightbridge.formats.onnx.shapes.vectors import requested_shape, vector_elements
from weightbridge.formats.onnx.values.slices import Numbers, slice_arguments, split_sizes
from weightbridge.formats.onnx.values.views import (
    axes_of,
    squeezed_axes,
    with_ones,
    with_zeros_kept,
    without_axes,
)


def transpose(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    shape = inputs[0] or ()
    order = node.attributes.get("perm") or reversed(range(len(shape)))
    return tuple(shape[i] for i in order)


def reshape(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    shape = inputs[0]
    requested = requested_shape(node, facts)
    if shape is None or requested is None:
        return None
    target = with_zeros_kept(requested, shape)
    remaining = _remaining_length(shape, target) if -1 in target else None
    return tuple(_length(n, remaining) for n in target)


def _length(requested: int | None, remaining: int | None) -> int | None:
    """A length of the result: -1 stands for what remains."""
    if requested == -1:
        return remaining
    return None if requested is None or requested < 0 else requested


def _remaining_length(shape: Shape, target: list[int | None]) -> int | None:
    """The length that -1 stands for; None where it does not follow."""
    size = _product_of_known(shape)
    stated = _product_of_known(tuple(n for n in target if n is not None and n > 0))
    if None not in shape:
        return None if None in target else size // stated
    is_divisible = size > 0 and size % stated == 0
    return size // stated if is_divisible and _keeps_batch(shape, target) else None


def _keeps_batch(shape: Shape, target: list[int | None]) -> bool:
    """Whether the batch axis alone is unknown and stays in front, with a length stated behind it."""
    is_batch_alone_unknown = shape[0] is None and shape.count(None) == 1
    states_a_length = any(n not in (-1, None) for n in target)
    return is_batch_alone_unknown and target[0] is None and states_a_length


def _product_of_known(shape: Shape) -> int:
    return prod(n for n in shape if n is not None)


def flatten(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    shape = inputs[0] or ()
    axis = int(node.attributes.get("axis", 1))
    return _size(shape[:axis]), _size(shape[axis:])


def _size(shape: Shape) -> int | None:
    return None if None in shape else _product_of_known(shape)


def squeeze(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    shape = inputs[0] or ()
    axes = axes_of(node, facts.net.numbers)
    return without_axes(shape, squeezed_axes(axes, shape))


def unsqueeze(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    shape = inputs[0] or ()
    axes = axes_of(node, facts.net.numbers)
    return None if axes is None else with_ones(shape, axes)


def concat(node: Node, inputs: list[Shape | None], _: Facts) -> Shape | None:
    shapes = [s for s in inputs if s is not None]
    if len(shapes) < len(inputs):
        return None
    first = shapes[0]
    axis = int(node.attributes.get("axis", 1)) % len(first)
    lengths = [s[axis] for s in shapes]
    known = [n for n in lengths if n is not None]
    joined = sum(known) if len(known) == len(lengths) else None
    return (*first[:axis], joined, *first[axis + 1 :])


def shape_of(_: Node, inputs: list[Shape | None], __: Facts) -> Shape | None:
    shape = inputs[0]
    return None if shape is None else (len(shape),)


def sliced(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    """The lengths along the axes of a Slice, where they and its bounds are known."""
    lengths = list(inputs[0] or ())
    starts, ends, axes, steps = slice_arguments(node, facts.net.integers)
    has_axes = len(node.inputs) > 3 and node.inputs[3]
    if has_axes and axes is None:
        return None
    has_steps = len(node.inputs) > 4
    is_known = starts is not None and ends is not None and (steps is not None or not has_steps)
    sliced_axes = range(len(lengths)) if axes is None else axes
    for i, axis in enumerate(sliced_axes):
        length = lengths[axis]
        lengths[axis] = _sliced_length(length, starts, ends, steps, i) if is_known else None
    return tuple(lengths)


def _sliced_length(length: int | None, starts: Numbers, ends: Numbers, steps: Numbers, i: int) -> int | None:
    if length is None or starts is None or ends is None:
        return None
    step = steps[i] if steps else 1
    return len(range(length)[starts[i] : ends[i] : step])


def split(node: Node, shape: Shape, facts: Facts) -> dict[str, Shape]:
    """The shapes of all parts of a Split; a length is None where it is not known."""
    axis = int(node.attributes.get("axis", 0))
    count = len(node.outputs)
    if not count or not -len(shape) <= axis < len(shape):
        return {}
    axis %= len(shape)
    length = shape[axis]
    equal = None if length is None or length % count else length // count
    sizes = split_sizes(node, facts.net.integers) or (equal,) * count
    parts = zip(node.outputs, sizes, strict=False)
    return {value: (*shape[:axis], size, *shape[axis + 1 :]) for value, size in parts if value}


def expand(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    """Lengths of one become those that are asked for."""
    shape, requested = inputs[0], _second_input(node, facts)
    if shape is None or requested is None:
        return None
    rank = max(len(shape), len(requested))
    pairs = zip(with_leading_ones(shape, rank), with_leading_ones(requested, rank), strict=True)
    return tuple(_expanded_length(length, wanted) for length, wanted in pairs)


def _second_input(node: Node, facts: Facts) -> Shape | None:
    """The integers of the second input."""
    elements = vector_elements(node.inputs[1], facts) if len(node.inputs) > 1 else None
    return None if elements is None else tuple(None if n is None or n < 0 else n for n in elements)


def _expanded_length(length: int | None, wanted: int | None) -> int | None:
    if wanted == 1:
        return length
    if length == 1:
        return wanted
    return length if length == wanted else None


def tile(node: Node, inputs: list[Shape | None], facts: Facts) -> Shape | None:
    shape, repeats = inputs[0], _second_input(node, facts)
    if shape is None or repeats is None or len(repeats) != len(shape):
        return None
    pairs = zip(shape, repeats, strict=True)
    return tuple(None if n is None or times is None else n * times for n, times in pairs)


RULES: Mapping[str, Rule] = {
    "Expand": expand,
    "Tile": tile,
    "Shape": shape_of,
    "Slice": sliced,
    "Transpose": transpose,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Concat": concat,
}
