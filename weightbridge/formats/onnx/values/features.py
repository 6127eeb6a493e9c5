"""Features: which output features of a layer stand where in a value, as views and cuts move them."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from weightbridge.formats.onnx.drafts import Site
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.shapes.rule import Facts, Shape
from weightbridge.formats.onnx.shapes.views import reshape_target
from weightbridge.formats.onnx.values.values import Net
from weightbridge.formats.onnx.values.views import axes_of
from weightbridge.model.tensors import Array

MOST = 1 << 22  # elements


@dataclass(frozen=True, slots=True)
class Features:
    """array: the numbers of the features, of length one along axes that hold none. shape: the value's own,
    None for lengths not known.
    """

    array: Array
    shape: Shape

    @staticmethod
    def along(shape: Shape, axis: int, width: int) -> "Features":
        return Features(
            np.arange(width).reshape([width if i == axis else 1 for i in range(len(shape))]), shape
        )

    def numbers(self) -> Array:
        return np.sort(self.array, axis=None)

    def count(self) -> int:
        return self.array.size


def viewed(site: Site, node: Node, held: Features) -> Features | None:
    """After a node that only turns or reshapes the value; None for any other."""
    match node.op:
        case "Transpose":
            order = tuple(node.attributes.get("perm", ())) or tuple(reversed(range(held.array.ndim)))
            if sorted(order) != list(range(held.array.ndim)):
                return None
            return Features(held.array.transpose(order), tuple(held.shape[i] for i in order))
        case "Unsqueeze":
            axes = axes_of(node, site.net.numbers)
            rank = held.array.ndim + len(axes or ())
            return (
                None
                if axes is None
                else _reshaped(held, _with_ones(held.shape, {a % rank for a in axes}, rank))
            )
        case "Squeeze":
            axes = axes_of(node, site.net.numbers)
            gone = (
                {a % held.array.ndim for a in axes}
                if axes
                else {i for i, n in enumerate(held.shape) if n == 1}
            )
            if any(held.array.shape[i] != 1 for i in gone):
                return None
            kept = [i for i in range(held.array.ndim) if i not in gone]
            return Features(
                held.array.reshape([held.array.shape[i] for i in kept]), tuple(held.shape[i] for i in kept)
            )
        case "Reshape":
            return _reshaped(held, _target(site, node, held.shape))
    return None


def _with_ones(shape: Shape, added: set[int], rank: int) -> Shape:
    rest = iter(shape)
    return tuple(1 if i in added else next(rest) for i in range(rank))


def _target(site: Site, node: Node, before: Shape) -> Shape | None:
    """What a Reshape asks for; -1 stays, a length that is not known is None."""
    asked = reshape_target(node, Facts(site.net, site.shapes))
    known = site.shapes.get(node.outputs[0])
    if asked is None or (known is not None and None not in known):
        return known
    if known is not None and len(known) == len(asked):
        asked = tuple(
            k if a in (None, -1) and k is not None else a for k, a in zip(known, asked, strict=True)
        )
    keeps_zero = bool(node.attributes.get("allowzero", 0))
    return tuple(
        before[i] if n == 0 and i < len(before) and not keeps_zero else n for i, n in enumerate(asked)
    )


def _reshaped(held: Features, target: Shape | None) -> Features | None:
    """The axes that differ are taken as one block: those before and behind it stay what they are."""
    if target is None:
        return None
    before, array = held.shape, held.array
    first = _common(before, target)
    last = _common(before[first:][::-1], target[first:][::-1])
    old, new = slice(first, len(before) - last), slice(first, len(target) - last)
    inner = _block(array.shape[old], before[old], target[new])
    if inner is None:
        return None
    if array.size // prod(array.shape[old]) * prod(inner[0]) > MOST:
        return None
    wide = np.broadcast_to(array, (*array.shape[: old.start], *inner[0], *array.shape[old.stop :]))
    shape = (*target[: new.start], *inner[1], *target[new.stop :])
    return Features(wide.reshape(*array.shape[: old.start], *inner[2], *array.shape[old.stop :]), shape)


def _common(a: Shape, b: Shape) -> int:
    """How many lengths in a row are the same, unknown ones taken for each other."""
    n = 0
    while n < min(len(a), len(b)) and (a[n] == b[n] or (None in (a[n], b[n]) and -1 not in (a[n], b[n]))):
        n += 1
    return n


def _block(
    array: tuple[int, ...], before: Shape, target: Shape
) -> tuple[tuple[int, ...], Shape, tuple[int, ...]] | None:
    """How a block of axes is widened, what it becomes, and the array's own lengths then; None where they do
    not fit.
    """
    if prod(array) == 1:
        return array, tuple(None if n == -1 else n for n in target), (1,) * len(target)
    if None in before:
        return None
    known = tuple(int(n) for n in before if n is not None)
    rest = prod(n for n in target if n is not None and n > 0)
    open_lengths = [n for n in target if n is None or n < 0]
    if len(open_lengths) > 1 or prod(known) % max(rest, 1):
        return None
    full = tuple(prod(known) // max(rest, 1) if n is None or n < 0 else n for n in target)
    return (known, full, full) if prod(full) == prod(known) else None


def cut(site: Site, node: Node, held: Features) -> Mapping[str, Features] | None:
    """The features in each output of a Slice, Gather or Split; None where it is not known what they take."""
    if node.op == "Split":
        return _split(site, node, held)
    index = _gathered(site, node, held) if node.op == "Gather" else _sliced(site, node, held)
    if index is None:
        return None
    array = held.array
    for axis, taken in index.items():
        array = (
            array
            if array.shape[axis] == 1 and held.shape[axis] != 1
            else array[(slice(None),) * axis + (taken,)]
        )
        if array.ndim < held.array.ndim:  # one index of a Gather
            return {node.outputs[0]: Features(array, tuple(n for i, n in enumerate(held.shape) if i != axis))}
    shape = tuple(
        None if i in index and held.array.shape[i] == 1 else array.shape[i] if i in index else n
        for i, n in enumerate(held.shape)
    )
    return {node.outputs[0]: Features(array, shape)} if array.size else None


def _gathered(site: Site, node: Node, held: Features) -> dict[int, int] | None:
    numbers = site.net.numbers.get(node.inputs[1])
    axis = int(node.attributes.get("axis", 0)) % held.array.ndim
    if numbers is None or numbers.ndim or held.array.shape[axis] == 1:
        return None
    return {axis: int(numbers)} if -held.array.shape[axis] <= int(numbers) < held.array.shape[axis] else None


def _sliced(site: Site, node: Node, held: Features) -> dict[int, slice] | None:
    found = bounds(site.net, node)
    return None if found is None else {a % held.array.ndim: part for a, part in found.items()}


def bounds(net: Net, node: Node) -> dict[int, slice] | None:
    """What a Slice takes along each of its axes; None where that is not known, or not every element in a row."""
    given = [net.integers(v) if v else None for v in (*node.inputs[1:], "", "", "", "")[:4]]
    starts, ends, axes, steps = (
        node.attributes.get(k, given[i]) for i, k in enumerate(("starts", "ends", "axes", "steps"))
    )
    if starts is None or ends is None or (len(node.inputs) > 3 and axes is None):
        return None
    axes = tuple(range(len(starts))) if axes is None else axes
    if steps is not None and any(s != 1 for s in steps):
        return None
    return {a: slice(s, e) for a, s, e in zip(axes, starts, ends, strict=True)}


def _split(site: Site, node: Node, held: Features) -> Mapping[str, Features] | None:
    axis = int(node.attributes.get("axis", 0)) % held.array.ndim
    given = site.net.integers(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] else None
    sizes = tuple(node.attributes.get("split", ())) or given
    width = held.array.shape[axis]
    if width == 1:
        return None
    if sizes is None:
        each = -(-width // len(node.outputs))
        sizes = (*(each,) * (len(node.outputs) - 1), width - each * (len(node.outputs) - 1))
    if sum(sizes) != width or len(sizes) != len(node.outputs):
        return None
    parts = np.split(held.array, np.cumsum(sizes)[:-1], axis)
    shapes = (tuple(p.shape[axis] if i == axis else n for i, n in enumerate(held.shape)) for p in parts)
    return {v: Features(p, s) for v, p, s in zip(node.outputs, parts, shapes, strict=True) if v}
