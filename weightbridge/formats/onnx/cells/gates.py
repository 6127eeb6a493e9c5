"""Recurrent weights that an exporter left as torch keeps them and puts into ONNX's order in the graph: slices
joined, gate by gate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weightbridge.formats.onnx.drafts import Site
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.net import Constant
from weightbridge.formats.onnx.values.slices import slice_bounds
from weightbridge.formats.onnx.values.views import axes_of
from weightbridge.model.tensors import Array

ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}  # where ONNX's gates stand among torch's
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
    """The weights of each direction of an LSTM, GRU or RNN node; () where they are not torch's, put in order
    by the graph.
    """
    values = (*node.inputs[1:4], "", "")[:3]
    kernels, recurrent = (_directions(site, v) for v in values[:2])
    biases = _directions(site, values[2]) if values[2] else [()] * len(kernels)
    if not kernels or not len(kernels) == len(recurrent) == len(biases):
        return ()
    cells = [_cell(node.op, k, r, b) for k, r, b in zip(kernels, recurrent, biases, strict=True)]
    return tuple(c for c in cells if c is not None) if None not in cells else ()


def _cell(
    op: str, kernel: Sequence[Rows], recurrent: Sequence[Rows], bias: Sequence[Rows]
) -> TorchCell | None:
    matrices = [_whole(op, rows) for rows in (kernel, recurrent)]
    half = sum(r.numbers.size for r in bias) // 2
    first = [r for i, r in enumerate(bias) if sum(x.numbers.size for x in bias[:i]) < half]
    vectors = [_whole(op, rows) for rows in (first, bias[len(first) :])] if bias else []
    if matrices[0] is None or matrices[1] is None or None in vectors:
        return None
    return TorchCell(matrices[0], matrices[1], tuple(v for v in vectors if v is not None))


def _whole(op: str, rows: Sequence[Rows]) -> Constant | None:
    """The one tensor that these rows are, its gates in ONNX's order; None for anything else."""
    if not rows or any(r.constant is not rows[0].constant for r in rows):
        return None
    numbers = np.concatenate([r.numbers for r in rows])
    gates, constant = len(ORDER[op]), rows[0].constant
    expected = (
        np.arange(constant.header.dims[0]).reshape(gates, -1)[list(ORDER[op])]
        if constant.header.dims[0] % gates == 0
        else numbers[:0]
    )
    return constant if np.array_equal(numbers, expected.reshape(-1)) else None


def _directions(site: Site, value: str) -> list[tuple[Rows, ...]]:
    """The rows of each direction: along the first axis of the value, which an Unsqueeze has added. [] where
    they cannot be told.
    """
    node = site.net.source(value)
    if node is None or node.domain:
        return []
    if node.op == "Concat" and int(node.attributes.get("axis", 0)) == 0:
        parts = [_directions(site, v) for v in node.inputs]
        return [d for part in parts for d in part] if all(parts) else []
    if node.op == "Unsqueeze" and axes_of(node, site.net.numbers) == (0,):
        rows = _rows(site, node.inputs[0], DEPTH)
        return [rows] if rows else []
    return []


def _rows(site: Site, value: str, depth: int) -> tuple[Rows, ...]:
    constant, node = site.weight(value), site.net.source(value)
    if constant is not None and constant.shape == constant.header.dims:
        return (Rows(constant, np.arange(constant.header.dims[0])),)
    if node is None or node.domain or not depth:
        return ()
    if node.op in ("Identity", "Cast"):
        return _rows(site, node.inputs[0], depth - 1)
    if node.op == "Concat" and int(node.attributes.get("axis", 0)) == 0:
        parts = [_rows(site, v, depth - 1) for v in node.inputs]
        return tuple(r for part in parts for r in part) if all(parts) else ()
    rows = _rows(site, node.inputs[0], depth - 1) if node.op == "Slice" else ()
    found = slice_bounds(node, site.net.integers) if len(rows) == 1 else None
    return (
        (Rows(rows[0].constant, rows[0].numbers[found[0]]),)
        if found is not None and list(found) == [0]
        else ()
    )
