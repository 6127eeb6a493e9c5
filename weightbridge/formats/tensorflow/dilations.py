"""A dilated convolution that TensorFlow wrote as one on a coarser grid: one convolution again.

    SpaceToBatchND (block d) -> Conv -> BatchToSpaceND (block d)    is    Conv with dilation d

One over a single axis of space has an ExpandDims before and a Squeeze behind its Conv. The layer's bias is
added behind all of them, so a bias of zeros that a converter gave to the Conv itself is none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.quantised.lower import ADDED
from weightbridge.formats.tensorflow.flow import Flow
from weightbridge.model.tensors import Array

APART, TOGETHER = "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"
T = TypeVar("T")
Numbers = Callable[[str], Array | None]
IsZeros = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Grid:
    """The nodes of one convolution; raised and lowered: those that add an axis and take it away."""

    apart: Node
    raised: Node | None
    conv: Node
    lowered: Node | None
    together: Node

    @property
    def nodes(self) -> tuple[Node, ...]:
        parts = (self.apart, self.raised, self.conv, self.lowered, self.together)
        return tuple(node for node in parts if node is not None)


def with_dilations(
    nodes: Sequence[Node], outputs: Sequence[str], numbers: Numbers, are_zeros: IsZeros
) -> list[Node]:
    """numbers: the values of a small constant. are_zeros: of a vector. outputs: the graph's."""
    if not any(node.op == APART for node in nodes):
        return list(nodes)
    rewritten: dict[int, list[Node]] = {}
    for grid in _grids(nodes, outputs):
        dilated = _dilated(_without_zeros(grid, are_zeros), numbers)
        if dilated is not None:
            rewritten |= {id(node): [] for node in grid.nodes}
            rewritten[id(grid.together)] = dilated
    return [written for node in nodes for written in rewritten.get(id(node), [node])]


def _without_zeros(grid: _Grid, are_zeros: IsZeros) -> _Grid:
    bias = grid.conv.inputs[2:]
    if not bias or not are_zeros(bias[0]):
        return grid
    return replace(grid, conv=replace(grid.conv, inputs=grid.conv.inputs[:2]))


def _grids(nodes: Sequence[Node], outputs: Sequence[str]) -> list[_Grid]:
    flow = _Flow(nodes, outputs)
    grids = (flow.grid(node) for node in nodes if node.op == "Conv")
    return [grid for grid in grids if grid is not None]


class _Flow(Flow):
    """The nodes around a convolution."""

    def grid(self, conv: Node) -> _Grid | None:
        before, after = self.before(conv), self.after(conv)
        raised = before if before is not None and before.op == "Unsqueeze" else None
        lowered = after if after is not None and after.op == "Squeeze" else None
        apart = self.before(raised) if raised else before
        together = self.after(lowered) if lowered else after
        if apart is None or together is None or (apart.op, together.op) != (APART, TOGETHER):
            return None
        return _Grid(apart, raised, conv, lowered, together)


def _dilated(grid: _Grid, numbers: Numbers) -> list[Node] | None:
    """The nodes that stand for them; None where blocks and borders do not say a dilation."""
    dilation, pads = _block(grid, numbers), _pads(grid, numbers)
    if dilation is None or pads is None or not _is_plain(grid.conv):
        return None
    if grid.raised is not None:
        place = _added_axis(grid)
        if place is None or place > len(dilation):
            return None
        dilation, pads = _with(dilation, place, 1), _with(pads, place, (0, 0))
    if len(dilation) != len(grid.conv.attributes["strides"]):
        return None
    borders = (*(pair[0] for pair in pads), *(pair[1] for pair in pads))
    more = {"auto_pad": "NOTSET", "dilations": dilation, "pads": borders}
    return _joined(grid, {**grid.conv.attributes, **more}, grid.together.outputs[0])


def _is_plain(conv: Node) -> bool:
    """Whether the convolution takes every place of the coarser grid, and adds none."""
    told = conv.attributes
    return told.get("auto_pad") == "VALID" and {1} == {*told.get("strides", ()), *told.get("dilations", (1,))}


def _with(values: tuple[T, ...], place: int, value: T) -> tuple[T, ...]:
    return (*values[:place], value, *values[place:])


def _added_axis(grid: _Grid) -> int | None:
    """Which axis of space is the added one."""
    axes: tuple[int, ...] = grid.raised.attributes.get("axes", ()) if grid.raised is not None else ()
    rank = len(grid.conv.attributes["strides"]) + 2
    axis = axes[0] % rank if len(axes) == 1 else 0
    return axis - 1 if axis > 0 else None


def _block(grid: _Grid, numbers: Numbers) -> tuple[int, ...] | None:
    ours, theirs = (numbers(node.inputs[1]) for node in (grid.apart, grid.together))
    if ours is None or theirs is None or not np.array_equal(ours, theirs):
        return None
    return tuple(int(n) for n in ours.reshape(-1))


def _pads(grid: _Grid, numbers: Numbers) -> tuple[tuple[int, int], ...] | None:
    """What is added before, less what is cut off behind, for each axis."""
    added, cut = (numbers(node.inputs[2]) for node in (grid.apart, grid.together))
    if added is None or cut is None or added.shape != cut.shape or added.ndim != 2:
        return None
    net = (added.astype(int) - cut.astype(int)).tolist()
    return tuple((before, behind) for before, behind in net) if (added >= cut).all() else None


def _joined(grid: _Grid, attributes: dict[str, object], output: str) -> list[Node]:
    data, conv = grid.apart.inputs[0], grid.conv
    if grid.raised is None or grid.lowered is None:
        return [replace(conv, inputs=(data, *conv.inputs[1:]), outputs=(output,), attributes=attributes)]
    raised, made = f"{output}{ADDED}raised", f"{output}{ADDED}dilated"
    return [
        replace(grid.raised, inputs=(data, *grid.raised.inputs[1:]), outputs=(raised,)),
        replace(conv, inputs=(raised, *conv.inputs[1:]), outputs=(made,), attributes=attributes),
        replace(grid.lowered, inputs=(made, *grid.lowered.inputs[1:]), outputs=(output,)),
    ]
