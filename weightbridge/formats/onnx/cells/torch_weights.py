"""Recurrent weights as torch keeps them, which the graph puts into ONNX's order gate by gate."""

from collections.abc import Sequence
from itertools import chain
from typing import TypeVar

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.drafts import Site
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.net import Constant
from weightbridge.formats.onnx.values.slices import slice_bounds
from weightbridge.formats.onnx.values.views import axes_of
from weightbridge.model.tensors import Array

ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}  # where ONNX's gates stand among torch's
T = TypeVar("T")
DEPTH = 12  # nodes between a weight and its reader


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one tensor along its first axis."""

    constant: Constant
    numbers: Array


@dataclass(frozen=True, slots=True)
class TorchCell:
    """The weights of one direction."""

    kernel: Constant
    recurrent_kernel: Constant
    biases: tuple[Constant, ...]


def torch_cells(site: Site, node: Node) -> tuple[TorchCell, ...]:
    """The weights of each direction of an LSTM, GRU or RNN node; () where they are not torch's."""
    kernel, recurrent_kernel, bias = (*node.inputs[1:4], "", "")[:3]
    kernels, recurrent_kernels = _directions(site, kernel), _directions(site, recurrent_kernel)
    biases = _directions(site, bias) if bias else [()] * len(kernels)
    if not kernels or not len(kernels) == len(recurrent_kernels) == len(biases):
        return ()
    directions = zip(kernels, recurrent_kernels, biases, strict=True)
    cells = [_cell(node.op, *rows) for rows in directions]
    known = tuple(cell for cell in cells if cell is not None)
    return known if len(known) == len(cells) else ()


def _cell(
    op: str, kernel: Sequence[Rows], recurrent: Sequence[Rows], bias: Sequence[Rows]
) -> TorchCell | None:
    kernel_tensor, recurrent_tensor = _whole(op, kernel), _whole(op, recurrent)
    if kernel_tensor is None or recurrent_tensor is None:
        return None
    halves = _halves(bias) if bias else ()
    vectors = [_whole(op, half) for half in halves]
    biases = tuple(vector for vector in vectors if vector is not None)
    if len(biases) < len(vectors):
        return None
    return TorchCell(kernel_tensor, recurrent_tensor, biases)


def _halves(bias: Sequence[Rows]) -> tuple[Sequence[Rows], Sequence[Rows]]:
    """The rows of the kernel's bias and those of the recurrent kernel's."""
    half = sum(rows.numbers.size for rows in bias) // 2
    size = count = 0
    while count < len(bias) and size < half:
        size += bias[count].numbers.size
        count += 1
    return bias[:count], bias[count:]


def _whole(op: str, rows: Sequence[Rows]) -> Constant | None:
    """The one tensor that these rows are, its gates in ONNX's order; None for anything else."""
    if not rows or any(part.constant is not rows[0].constant for part in rows):
        return None
    constant, order = rows[0].constant, ORDER[op]
    count = constant.header.dims[0]
    if count % len(order):
        return None
    numbers = np.concatenate([part.numbers for part in rows])
    gates = np.arange(count).reshape(len(order), -1)
    expected = gates[list(order)].reshape(-1)
    return constant if np.array_equal(numbers, expected) else None


def _directions(site: Site, value: str) -> list[tuple[Rows, ...]]:
    """The rows of each direction, along the first axis of the value, which an Unsqueeze has added.

    [] where they cannot be told.
    """
    node = site.net.source(value)
    if node is None or node.domain:
        return []
    if _joins_rows(node):
        return _all_of([_directions(site, part) for part in node.inputs])
    if node.op == "Unsqueeze" and axes_of(node, site.net.numbers) == (0,):
        rows = _rows(site, node.inputs[0], DEPTH)
        return [rows] if rows else []
    return []


def _all_of(parts: Sequence[Sequence[T]]) -> list[T]:
    """All parts in a row; [] where one of them is not known."""
    return list(chain.from_iterable(parts)) if all(parts) else []


def _joins_rows(node: Node) -> bool:
    return node.op == "Concat" and int(node.attributes.get("axis", 0)) == 0


def _rows(site: Site, value: str, depth: int) -> tuple[Rows, ...]:
    """The rows that a value holds; () where they cannot be told."""
    constant, node = site.weight(value), site.net.source(value)
    if constant is not None and constant.shape == constant.header.dims:
        return (Rows(constant, np.arange(constant.header.dims[0])),)
    if node is None or node.domain or not depth:
        return ()
    if node.op in ("Identity", "Cast"):
        return _rows(site, node.inputs[0], depth - 1)
    if _joins_rows(node):
        return tuple(_all_of([_rows(site, part, depth - 1) for part in node.inputs]))
    if node.op == "Slice":
        return _sliced(site, node, _rows(site, node.inputs[0], depth - 1))
    return ()


def _sliced(site: Site, node: Node, rows: tuple[Rows, ...]) -> tuple[Rows, ...]:
    """The rows that a Slice takes of one tensor."""
    bounds = slice_bounds(node, site.net.integers) if len(rows) == 1 else None
    if bounds is None or list(bounds) != [0]:
        return ()
    return (Rows(rows[0].constant, rows[0].numbers[bounds[0]]),)
