"""Which output features of a layer stand where in a value, as views and cuts move them."""

from collections.abc import Mapping
from math import prod

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.drafts import Site
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.shapes.rule import Facts, Shape
from weightbridge.formats.onnx.shapes.vectors import requested_shape
from weightbridge.formats.onnx.values.slices import slice_bounds, split_sizes
from weightbridge.formats.onnx.values.views import (
    axes_of,
    squeezed_axes,
    with_ones,
    with_zeros_kept,
    without_axes,
)
from weightbridge.model.tensors import Array

MOST = 1 << 22  # elements


@dataclass(frozen=True, slots=True)
class Features:
    """The numbers of the features that a value holds.

    array: of length one along axes that hold none. shape: the value's own, None for lengths not known.
    """

    array: Array
    shape: Shape

    @staticmethod
    def along(shape: Shape, axis: int, width: int) -> "Features":
        """As many features as the axis is long, in order."""
        lengths = [width if i == axis else 1 for i in range(len(shape))]
        return Features(np.arange(width).reshape(lengths), shape)

    def numbers(self) -> Array:
        return np.sort(self.array, axis=None)

    def count(self) -> int:
        return self.array.size


def viewed(site: Site, node: Node, features: Features) -> Features | None:
    """After a node that only turns or reshapes the value; None for any other."""
    match node.op:
        case "Transpose":
            return _transposed(node, features)
        case "Unsqueeze":
            return _unsqueezed(site, node, features)
        case "Squeeze":
            return _squeezed(site, node, features)
        case "Reshape":
            return _reshaped(features, _target(site, node, features.shape))
    return None


def _transposed(node: Node, features: Features) -> Features | None:
    axes = range(features.array.ndim)
    order = tuple(node.attributes.get("perm", ())) or tuple(reversed(axes))
    if sorted(order) != list(axes):
        return None
    return Features(features.array.transpose(order), tuple(features.shape[i] for i in order))


def _unsqueezed(site: Site, node: Node, features: Features) -> Features | None:
    axes = axes_of(node, site.net.numbers)
    return None if axes is None else _reshaped(features, with_ones(features.shape, axes))


def _squeezed(site: Site, node: Node, features: Features) -> Features | None:
    lengths = features.array.shape
    axes = axes_of(node, site.net.numbers)
    removed = squeezed_axes(axes, features.shape)
    if any(lengths[i] != 1 for i in removed):
        return None
    array = features.array.reshape(without_axes(lengths, removed))
    return Features(array, without_axes(features.shape, removed))


def _target(site: Site, node: Node, before: Shape) -> Shape | None:
    """What a Reshape asks for; -1 stays, a length that is not known is None."""
    requested = requested_shape(node, Facts(site.net, site.shapes))
    known = site.shapes.get(node.outputs[0])
    if requested is None or (known is not None and None not in known):
        return known
    if known is not None and len(known) == len(requested):
        requested = tuple(map(_known_length, known, requested))
    keeps_zeros = bool(node.attributes.get("allowzero", 0))
    return requested if keeps_zeros else tuple(with_zeros_kept(requested, before))


def _known_length(known: int | None, requested: int | None) -> int | None:
    is_open = requested in (None, -1)
    return known if is_open and known is not None else requested


def _reshaped(features: Features, target: Shape | None) -> Features | None:
    """The axes that differ are taken as one block: those before and behind it stay what they are."""
    if target is None:
        return None
    before, array = features.shape, features.array
    first = _common(before, target)
    last = _common(before[first:][::-1], target[first:][::-1])
    source_block = slice(first, len(before) - last)
    target_block = slice(first, len(target) - last)
    block = _block(array.shape[source_block], before[source_block], target[target_block])
    if block is None:
        return None
    outer_size = array.size // prod(array.shape[source_block])
    if outer_size * prod(block.widened) > MOST:
        return None
    leading, trailing = array.shape[:first], array.shape[source_block.stop :]
    wide = np.broadcast_to(array, (*leading, *block.widened, *trailing))
    shape = (*target[:first], *block.shape, *target[target_block.stop :])
    return Features(wide.reshape(*leading, *block.array_shape, *trailing), shape)


def _common(one: Shape, other: Shape) -> int:
    """How many lengths in a row are the same, unknown ones taken for each other."""
    count = 0
    for pair in zip(one, other, strict=False):
        is_open = None in pair and -1 not in pair
        if pair[0] != pair[1] and not is_open:
            break
        count += 1
    return count


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of axes: how the array is widened, the value's shape after it, and the array's."""

    widened: tuple[int, ...]
    shape: Shape
    array_shape: tuple[int, ...]


def _block(array_shape: tuple[int, ...], before: Shape, target: Shape) -> _Block | None:
    """None where the lengths do not fit."""
    if prod(array_shape) == 1:
        shape = tuple(None if n == -1 else n for n in target)
        return _Block(array_shape, shape, (1,) * len(target))
    known = tuple(n for n in before if n is not None)
    if len(known) < len(before):
        return None
    full = _completed(target, prod(known))
    return None if full is None else _Block(known, full, full)


def _completed(target: Shape, size: int) -> tuple[int, ...] | None:
    """The target with its one open length told by the size; None where they do not fit."""
    lengths = [-1 if n is None else n for n in target]
    open_axes = [i for i, n in enumerate(lengths) if n < 0]
    stated = prod(filter(lambda n: n > 0, lengths))
    if len(open_axes) > 1 or size < 0 or size % stated:
        return None
    for axis in open_axes:
        lengths[axis] = size // stated
    return tuple(lengths) if prod(lengths) == size else None


def cut(site: Site, node: Node, features: Features) -> Mapping[str, Features] | None:
    """The features in each output of a Slice, Gather or Split; None where it is not known what they take."""
    match node.op:
        case "Split":
            return _split(site, node, features)
        case "Gather":
            part = _gathered(site, node, features)
        case _:
            part = _sliced(site, node, features)
    return None if part is None else {node.outputs[0]: part}


def _gathered(site: Site, node: Node, features: Features) -> Features | None:
    """The features at one index; its axis is gone."""
    numbers = site.net.numbers.get(node.inputs[1])
    axis = int(node.attributes.get("axis", 0)) % features.array.ndim
    length = features.array.shape[axis]
    if numbers is None or numbers.ndim or length == 1:
        return None
    index = int(numbers)
    if not -length <= index < length:
        return None
    shape = (*features.shape[:axis], *features.shape[axis + 1 :])
    return Features(features.array.take(index, axis), shape)


def _sliced(site: Site, node: Node, features: Features) -> Features | None:
    bounds = slice_bounds(node, site.net.integers)
    if bounds is None:
        return None
    array, shape = features.array, list(features.shape)
    by_axis = {axis % array.ndim: taken for axis, taken in bounds.items()}
    for axis, taken in by_axis.items():
        is_featureless = array.shape[axis] == 1
        if not is_featureless or shape[axis] == 1:
            array = array[(*(slice(None),) * axis, taken)]
        shape[axis] = None if is_featureless else array.shape[axis]
    return Features(array, tuple(shape)) if array.size else None


def _split(site: Site, node: Node, features: Features) -> Mapping[str, Features] | None:
    array, count = features.array, len(node.outputs)
    axis = int(node.attributes.get("axis", 0)) % array.ndim
    width = array.shape[axis]
    if width == 1:
        return None
    sizes = split_sizes(node, site.net.integers)
    if sizes is None:
        equal = -(-width // count)
        remaining = width - equal * (count - 1)
        sizes = (*(equal,) * (count - 1), remaining)
    if sum(sizes) != width or len(sizes) != count:
        return None
    parts = np.split(array, np.cumsum(sizes)[:-1], axis)
    before, after = features.shape[:axis], features.shape[axis + 1 :]
    named = zip(node.outputs, parts, strict=True)
    return {value: Features(p, (*before, p.shape[axis], *after)) for value, p in named if value}
