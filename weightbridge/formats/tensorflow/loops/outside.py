"""The graph around a loop: its values, and the tensors that a cell is to have."""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
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


@dataclass(frozen=True)
class Outside:
    """The graph around a loop. tensors: by value; those of bodies come to them. read: small constants."""

    flow: Flow
    tensors: MutableMapping[str, TensorHeader]
    shapes: Mapping[str, Shape | None]
    read: Read

    def stored(self, value: str) -> str:
        """The tensor that a value is, seen with other axes of length one."""
        maker = self.flow.maker.get(value)
        while maker is not None and maker.op in SEEN:
            value, maker = maker.inputs[0], self.flow.maker.get(maker.inputs[0])
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
        rows = [row for value in values if (row := self.flow.maker.get(value)) is not None]
        cut = self.flow.maker.get(rows[0].inputs[0]) if len(rows) == len(values) > 1 else None
        if cut is None or cut.outputs != tuple(row.inputs[0] for row in rows):
            return ""
        return self.stored(cut.inputs[0]) if all(_is_rows(row, cut) for row in rows) else ""

    def known_shapes(self) -> dict[str, tuple[int, ...]]:
        stated = {v: s for v, s in self.shapes.items() if s is not None and None not in s}
        whole = {value: tuple(n or 0 for n in shape) for value, shape in stated.items()}
        whole |= {value: header.dims for value, header in self.tensors.items()}
        return whole | dict(self._rows(whole))

    def _rows(self, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Rows of tensors, cut apart and without their axis: the two biases of a GRU."""
        for value, node in self.flow.maker.items():
            cut = self.flow.maker.get(node.inputs[0]) if node.op == "Squeeze" and node.inputs else None
            if cut is not None and _is_rows(node, cut) and cut.inputs[0] in shapes:
                yield value, shapes[cut.inputs[0]][1:]


def _is_rows(squeeze: Node, cut: Node) -> bool:
    is_first = cut.op == "Split" and not cut.attributes.get("axis")
    return is_first and tuple(squeeze.attributes.get("axes") or ()) == (0,)
