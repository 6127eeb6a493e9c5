"""Tensors that a graph reads only in runs of rows: each run becomes a tensor of its own.

Rows lie one after another in the file, so a run's bytes do too. torch's attention keeps the projections of
query, key and value in one matrix, and splits it where they read different values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from weightbridge.formats.onnx.proto import Node, TensorHeader
from weightbridge.formats.onnx.values.slices import Integers, slice_arguments, split_sizes

CUTS = frozenset({"Split", "Slice"})
Range = tuple[int, int]


def row_runs(
    tensors: Sequence[TensorHeader], nodes: Sequence[Node], integers: Integers
) -> dict[str, TensorHeader]:
    """By the values that hold them: the runs of every tensor of which they make up the whole."""
    readers = _readers(nodes)
    runs: dict[str, TensorHeader] = {}
    for tensor in tensors:
        cuts = readers.get(tensor.name, [])
        if tensor.dims and cuts and all(_cuts_rows(node, tensor) for node in cuts):
            runs |= _runs_of(tensor, cuts, integers, readers)
    return runs


def _readers(nodes: Sequence[Node]) -> dict[str, list[Node]]:
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for value in dict.fromkeys(node.inputs):
            readers.setdefault(value, []).append(node)
    return readers


def _cuts_rows(node: Node, tensor: TensorHeader) -> bool:
    return node.op in CUTS and not node.domain and node.inputs[0] == tensor.name


def _runs_of(
    tensor: TensorHeader, cuts: Sequence[Node], integers: Integers, readers: Mapping[str, list[Node]]
) -> dict[str, TensorHeader]:
    """By value; {} where the runs do not make up the tensor, or are only put in another order."""
    count = tensor.dims[0]
    ranges: dict[str, Range] = {}
    for node in cuts:
        rows = _rows(node, count, integers)
        if not rows or _is_joined_again(node, readers):
            return {}
        ranges |= dict(zip(node.outputs, rows, strict=False))
    distinct = sorted(set(ranges.values()))
    if not _is_whole(distinct, count):
        return {}
    headers = {rows: _header(tensor, rows) for rows in distinct}
    return {value: headers[rows] for value, rows in ranges.items() if value}


def _rows(node: Node, count: int, integers: Integers) -> list[Range]:
    """The rows of each output, [] where they are not known."""
    if node.op == "Split":
        return split_rows(node, count, integers)
    return _slice_rows(node, count, integers)


def _is_joined_again(node: Node, readers: Mapping[str, list[Node]]) -> bool:
    """Whether the parts are concatenated: gates of a recurrent cell that are put in another order."""
    return any(reader.op == "Concat" for value in node.outputs for reader in readers.get(value, ()))


def _is_whole(ranges: Sequence[Range], count: int) -> bool:
    """Whether several ranges cover 0 to `count`, each beginning where the one before it ends."""
    starts = [start for start, _ in ranges]
    stops = [stop for _, stop in ranges]
    return len(ranges) > 1 and starts == [0, *stops[:-1]] and stops[-1] == count


def _header(tensor: TensorHeader, rows: Range) -> TensorHeader:
    start, stop = rows
    name = f"{tensor.name}[{start}:{stop}]"
    dims = (stop - start, *tensor.dims[1:])
    return replace(tensor, name=name, dims=dims, rows=(start, tensor.dims[0]))


def split_rows(node: Node, count: int, integers: Integers) -> list[Range]:
    """The rows of each output, [] where it cuts another axis or its sizes do not fit."""
    parts = len(node.outputs)
    if not parts:
        return []
    equal = (count // parts,) * parts if count % parts == 0 else ()
    sizes = split_sizes(node, integers) or equal
    axis = int(node.attributes.get("axis", 0))
    if axis or sum(sizes) != count or len(sizes) != parts or min(sizes) < 1:
        return []
    ends = [sum(sizes[: i + 1]) for i in range(parts)]
    return [(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def _slice_rows(node: Node, count: int, integers: Integers) -> list[Range]:
    starts, ends, axes, steps = slice_arguments(node, integers)
    has_unknown_steps = len(node.inputs) > 4 and steps is None
    if starts is None or ends is None or has_unknown_steps or len(starts) != 1:
        return []
    if (axes or (0,)) != (0,) or (steps or (1,)) != (1,):
        return []
    start, stop, _ = slice(starts[0], ends[0]).indices(count)
    return [(start, stop)] if start < stop else []
