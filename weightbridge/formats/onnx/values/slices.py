"""What a Slice and a Split take, from their attributes (older opsets) or their inputs."""

from collections.abc import Callable

from weightbridge.formats.onnx.proto import Node

Integers = Callable[[str], tuple[int, ...] | None]
Numbers = tuple[int, ...] | None

ARGUMENTS = ("starts", "ends", "axes", "steps")


def slice_arguments(node: Node, integers: Integers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """The starts, ends, axes and steps of a Slice; None for each that is absent or not known."""
    values = (*node.inputs[1:], "", "", "", "")[: len(ARGUMENTS)]
    inputs = [integers(value) if value else None for value in values]
    starts, ends, axes, steps = (
        node.attributes.get(name, numbers) for name, numbers in zip(ARGUMENTS, inputs, strict=True)
    )
    return starts, ends, axes, steps


def split_sizes(node: Node, integers: Integers) -> Numbers:
    """The lengths of a Split's parts; None where the node does not say them."""
    stated = tuple(node.attributes.get("split", ()))
    if stated:
        return stated
    has_sizes = len(node.inputs) > 1 and node.inputs[1]
    return integers(node.inputs[1]) if has_sizes else None


def slice_bounds(node: Node, integers: Integers) -> dict[int, slice] | None:
    """What a Slice takes along each axis; None where it is not known, or elements are left out between."""
    starts, ends, axes, steps = slice_arguments(node, integers)
    if starts is None or ends is None:
        return None
    if axes is None:
        if len(node.inputs) > 3:
            return None
        axes = tuple(range(len(starts)))
    if steps is not None and any(step != 1 for step in steps):
        return None
    return {axis: slice(start, end) for axis, start, end in zip(axes, starts, ends, strict=True)}
