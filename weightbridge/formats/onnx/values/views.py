"""Nodes that only turn, reshape or rename a value, and what they do to its shape."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import prod
from typing import Any, TypeVar

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.proto import Node
from weightbridge.model.tensors import Array

Shape = tuple[int, ...]
T = TypeVar("T", int, int | None)

HIGHEST_RANK = 64


@dataclass(frozen=True, slots=True)
class View:
    """One step between a tensor and the node that reads it.

    numbers: the permutation, the axes (of the longer side) or the shape.
    """

    op: str
    numbers: tuple[int, ...]
    shape: Shape | None


def view_of(node: Node, shape: Shape | None, numbers: Mapping[str, Array]) -> View | None:
    """The view that a node is of its first input, which has this shape; None for any other node."""
    match node.op:
        case "Identity" | "Cast" | "Dropout" | "CastLike":
            return View(node.op, (), shape)
        case "Transpose":
            return _transposed(node, shape)
        case "Squeeze":
            return _squeezed(node, shape, numbers)
        case "Unsqueeze":
            return _unsqueezed(node, shape, numbers)
        case "Reshape" | "Flatten":
            target = _target(node, shape, numbers)
            return View("Reshape", target or (), target)
    return None


def axes_of(node: Node, numbers: Mapping[str, Array]) -> tuple[int, ...] | None:
    """A node's axes, from its attribute or its second input; None where they are not given."""
    if "axes" in node.attributes:
        return tuple(node.attributes["axes"])
    has_input = len(node.inputs) > 1 and node.inputs[1]
    axes = numbers.get(node.inputs[1]) if has_input else None
    if axes is None:
        return None
    return tuple(int(axis) for axis in axes.reshape(-1))


def squeezed_axes(axes: tuple[int, ...] | None, shape: Sequence[int | None]) -> set[int]:
    """The axes that a Squeeze removes: these, or all of length one."""
    if axes:
        return {axis % len(shape) for axis in axes}
    return {i for i, n in enumerate(shape) if n == 1}


def without_axes(shape: tuple[T, ...], axes: Collection[int]) -> tuple[T, ...]:
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def with_ones(shape: tuple[T, ...], axes: tuple[int, ...]) -> tuple[T | int, ...]:
    """After an Unsqueeze: (3, 4), axes (0,) -> (1, 3, 4)."""
    rank = len(shape) + len(axes)
    added = {axis % rank for axis in axes}
    lengths = iter(shape)
    return tuple(1 if i in added else next(lengths, 1) for i in range(rank))


def with_zeros_kept(requested: Iterable[T], shape: Sequence[T]) -> list[T]:
    """A Reshape's 0 keeps the length that stands there: (0, -1) of (2, 3) -> (2, -1)."""
    return [shape[i] if n == 0 and i < len(shape) else n for i, n in enumerate(requested)]


def _transposed(node: Node, shape: Shape | None) -> View:
    order = tuple(node.attributes.get("perm", ()))
    if shape is None:
        return View("Transpose", order, None)
    axes = range(len(shape))
    order = order or tuple(reversed(axes))
    is_permutation = sorted(order) == list(axes)
    return View("Transpose", order, tuple(shape[i] for i in order) if is_permutation else None)


def _squeezed(node: Node, shape: Shape | None, numbers: Mapping[str, Array]) -> View:
    if shape is None:
        return View("Squeeze", (), None)
    axes = axes_of(node, numbers) if shape else None
    removed = sorted(squeezed_axes(axes, shape))
    return View("Squeeze", tuple(removed), without_axes(shape, removed))


def _unsqueezed(node: Node, shape: Shape | None, numbers: Mapping[str, Array]) -> View:
    axes = axes_of(node, numbers)
    if shape is None or axes is None or len(shape) + len(axes) > HIGHEST_RANK:
        return View("Unsqueeze", (), None)
    rank = len(shape) + len(axes)
    added = sorted(axis % rank for axis in axes)
    return View("Unsqueeze", tuple(added), with_ones(shape, axes))


def _target(node: Node, shape: Shape | None, numbers: Mapping[str, Array]) -> Shape | None:
    """The shape that a Reshape or Flatten of a known shape gives."""
    if shape is None:
        return None
    if node.op == "Flatten":
        axis = int(node.attributes.get("axis", 1)) % (len(shape) + 1)
        return prod(shape[:axis]), prod(shape[axis:])
    requested = node.attributes.get("shape") or _second_input(node, numbers)
    if requested is None or len(requested) > HIGHEST_RANK:
        return None
    return _completed([int(n) for n in requested], shape)


def _completed(requested: list[int], shape: Shape) -> Shape:
    """0 keeps the length that stands there, -1 stands for what remains."""
    target = with_zeros_kept(requested, shape)
    stated = prod(n for n in target if n > 0)
    remaining = prod(shape) // stated
    return tuple(remaining if n < 0 else n for n in target)


def _second_input(node: Node, numbers: Mapping[str, Array]) -> list[Any] | None:
    """The integers of the second input; None where they are not known."""
    if len(node.inputs) < 2 or node.inputs[1] not in numbers:
        return None
    elements: list[Any] = numbers[node.inputs[1]].reshape(-1).tolist()
    return elements
