"""The graph around a loop: its values, and the tensors that a cell is to have."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from weightbridge.formats.onnx.proto import Joined, Node, TensorHeader
from weightbridge.formats.tensorflow.flow import Flow
from weightbridge.formats.tensorflow.loops.body import Read
from weightbridge.formats.tensorflow.values import Shape
from weightbridge.formats.wire import Span

SEEN = frozenset({"Identity", "Reshape"})
FLOAT32 = 1
MOST_ZEROS = 1 << 16
MOST_VIEWS = 8


@dataclass(frozen=True)
class Outside:
    """The graph around a loop. tensors: by value; those of bodies come to them. read: small constants."""

    flow: Flow
    tensors: MutableMapping[str, TensorHeader]
    shapes: Mapping[str, Shape | None]
    read: Read

    def stored(self, value: str) -> str:
        """The tensor that a value is, seen with other axes of length one."""
        for _ in range(MOST_VIEWS):
            maker = self.flow.maker.get(value)
            if maker is None or maker.op not in SEEN:
                break
            value = maker.inputs[0]
        return value

    def is_zero(self, value: str) -> bool:
        header = self.tensors.get(self.stored(value))
        if header is None or prod(header.dims) > MOST_ZEROS:
            return False
        return not np.any(self.read(header))

    def joined(self, name: str, values: Sequence[str], axis: int) -> str | None:
        """The name of one tensor of several; None where not all of them are tensors."""
        known = [h for value in values if (h := self.tensors.get(self.stored(value))) is not None]
        beside = {(*header.dims[:axis], *header.dims[axis + 1 :]) for header in known}
        if len(known) != len(values) or len(beside) != 1:
            return None
        rows = sum(header.dims[axis] for header in known)
        dims = (*known[0].dims[:axis], rows, *known[0].dims[axis + 1 :])
        place = Span(-1 - len(self.tensors), -3)  # nothing of the file
        self.tensors[name] = TensorHeader(name, dims, FLOAT32, place, joined=Joined(tuple(known), axis))
        return name

    def halves(self, values: Sequence[str]) -> str:
        """The tensor whose two rows these are, in their order; "" for anything else."""
        rows = [row for value in values if (row := self.flow.maker.get(value)) and row.inputs]
        cut = self.flow.maker.get(rows[0].inputs[0]) if len(rows) == len(values) > 1 else None
        if cut is None or cut.outputs != tuple(row.inputs[0] for row in rows):
            return ""
        return self.stored(cut.inputs[0]) if all(_is_rows(row, cut) for row in rows) else ""

    def shape_of(self, value: str) -> tuple[int, ...] | None:
        """The shape of a tensor, or what is stated of a value; None where not all lengths are known."""
        header, stated = self.tensors.get(value), self.shapes.get(value)
        if header is not None:
            return header.dims
        if stated is not None and None not in stated:
            return tuple(n or 0 for n in stated)
        return self._of_row(value)

    def _of_row(self, value: str) -> tuple[int, ...] | None:
        """Of one row of a tensor, without its axis: one of the two biases of a GRU."""
        row = self.flow.maker.get(value)
        cut = self.flow.maker.get(row.inputs[0]) if row is not None and row.inputs else None
        if row is None or cut is None or not _is_rows(row, cut):
            return None
        whole = self.tensors.get(self.stored(cut.inputs[0]))
        return None if whole is None else whole.dims[1:]


def _is_rows(squeeze: Node, cut: Node) -> bool:
    is_first = cut.op == "Split" and not cut.attributes.get("axis")
    return is_first and squeeze.op == "Squeeze" and tuple(squeeze.attributes.get("axes") or ()) == (0,)
