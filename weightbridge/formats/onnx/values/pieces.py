"""Tensors that a graph cuts into runs of rows and never reads whole: each run is a tensor of its own, as its
bytes lie in a row too.

torch's attention keeps the projections of query, key and value in one matrix, and splits it where they read
different values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from weightbridge.formats.onnx.proto import Node, TensorHeader

CUTS = frozenset({"Split", "Slice"})
Integers = Callable[[str], tuple[int, ...] | None]
Range = tuple[int, int]


def pieces_of(
    tensors: Sequence[TensorHeader], nodes: Sequence[Node], integers: Integers
) -> dict[str, TensorHeader]:
    """By the values that hold them: the runs of every tensor of which they make up the whole."""
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for value in dict.fromkeys(node.inputs):
            readers.setdefault(value, []).append(node)
    found: dict[str, TensorHeader] = {}
    for tensor in tensors:
        reading = readers.get(tensor.name, [])
        if (
            tensor.dims
            and reading
            and all(n.op in CUTS and not n.domain and n.inputs[0] == tensor.name for n in reading)
        ):
            found |= _pieces(tensor, reading, integers, readers)
    return found


def _pieces(
    tensor: TensorHeader, reading: Sequence[Node], integers: Integers, readers: Mapping[str, list[Node]]
) -> dict[str, TensorHeader]:
    runs: dict[str, Range] = {}
    for node in reading:
        cut = (
            split_rows(node, tensor.dims[0], integers)
            if node.op == "Split"
            else _slice_rows(node, tensor.dims[0], integers)
        )
        runs |= dict(zip(node.outputs, cut, strict=False))
        if not cut or any(
            n.op == "Concat" for v in node.outputs for n in readers.get(v, ())
        ):  # gates that are only put in order
            return {}
    distinct = sorted(set(runs.values()))
    is_whole = [a for a, _ in distinct] == [0, *(b for _, b in distinct[:-1])] and distinct[-1][
        1
    ] == tensor.dims[0]
    if not is_whole or len(distinct) < 2:
        return {}
    made = {run: _piece(tensor, run) for run in distinct}
    return {value: made[run] for value, run in runs.items() if value}


def _piece(tensor: TensorHeader, run: Range) -> TensorHeader:
    start, stop = run
    name, dims = f"{tensor.name}[{start}:{stop}]", (stop - start, *tensor.dims[1:])
    return replace(tensor, name=name, dims=dims, rows=(start, tensor.dims[0]))


def split_rows(node: Node, count: int, integers: Integers) -> list[Range]:
    """The rows of each output, [] where it cuts another axis or its sizes do not fit."""
    given = integers(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] else None
    parts = len(node.outputs)
    sizes = (
        tuple(node.attributes.get("split", ()))
        or given
        or ((count // parts,) * parts if count % parts == 0 else ())
    )
    if int(node.attributes.get("axis", 0)) or sum(sizes) != count or len(sizes) != parts or min(sizes) < 1:
        return []
    ends = [sum(sizes[: i + 1]) for i in range(parts)]
    return [(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def _slice_rows(node: Node, count: int, integers: Integers) -> list[Range]:
    given = [integers(v) if v else None for v in (*node.inputs[1:], "", "", "", "")[:4]]
    starts, ends, axes, steps = (
        node.attributes.get(k, given[i]) for i, k in enumerate(("starts", "ends", "axes", "steps"))
    )
    known = starts is not None and ends is not None and (len(node.inputs) < 5 or steps is not None)
    if not known or len(starts) != 1 or (axes or (0,)) != (0,) or (steps or (1,)) != (1,):
        return []
    start, stop, _ = slice(starts[0], ends[0]).indices(count)
    return [(start, stop)] if start < stop else []
