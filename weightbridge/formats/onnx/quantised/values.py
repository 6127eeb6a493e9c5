"""Who makes and who reads each value of a graph, and which values are tensors of the file."""

from collections.abc import Mapping
from math import prod

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.proto import Graph, Node, TensorHeader
from weightbridge.formats.onnx.values.subgraphs import captured_by

CODES = frozenset(
    {2, 3, 21, 22, 23, 25, 26}
)  # element types of quantised values: integers of 8 bits and less
FLOATS = frozenset({1, 10, 11, 16})


@dataclass(frozen=True)
class Values:
    """nodes: in the file's order. maker, readers: indices of nodes, by value. tensors: by the value."""

    nodes: tuple[Node, ...]
    maker: Mapping[str, int]
    readers: Mapping[str, tuple[int, ...]]
    outputs: frozenset[str]
    tensors: Mapping[str, TensorHeader]

    def source(self, value: str) -> Node | None:
        index = self.maker.get(value)
        return None if index is None else self.nodes[index]

    def only_reader(self, value: str) -> int | None:
        """The one node that reads a value, None where it is an output or several read it."""
        readers = self.readers.get(value, ())
        return readers[0] if len(readers) == 1 and value not in self.outputs else None

    def is_codes(self, value: str) -> bool:
        """Whether the value is a tensor of more than one small integer."""
        tensor = self.tensors.get(value)
        return tensor is not None and tensor.elem_type in CODES and prod(tensor.dims) > 1

    def is_scale(self, value: str) -> bool:
        tensor = self.tensors.get(value)
        return tensor is not None and tensor.elem_type in FLOATS

    def are_known(self, *values: str) -> bool:
        """Whether each of them is a tensor of the file; "" for what is left out."""
        return all(not value or value in self.tensors for value in values)

    def long_axis(self, value: str) -> int | None:
        """The axis, counted from the end, along which a tensor has several values.

        0 for a single value, None for several axes.
        """
        dims = self.tensors[value].dims
        long = [i - len(dims) for i, n in enumerate(dims) if n > 1]
        if len(long) > 1:
            return None
        return long[0] if long else 0


def values_of(graph: Graph) -> Values:
    tensors = {tensor.name: tensor for tensor in graph.initializers}
    maker: dict[str, int] = {}
    readers: dict[str, list[int]] = {}
    for i, node in enumerate(graph.nodes):
        maker.update((value, i) for value in node.outputs if value)
        for value in dict.fromkeys((*node.inputs, *captured_by(node))):
            readers.setdefault(value, []).append(i)
        tensor = node.attributes.get("value")
        if node.op == "Constant" and isinstance(tensor, TensorHeader) and node.outputs:
            tensors[node.outputs[0]] = tensor
    return Values(
        nodes=graph.nodes,
        maker=maker,
        readers={value: tuple(indices) for value, indices in readers.items()},
        outputs=frozenset(output.name for output in graph.outputs),
        tensors=tensors,
    )


def argument(node: Node, place: int) -> str:
    """An input's value, "" where it is left out."""
    return node.inputs[place] if 0 <= place < len(node.inputs) else ""
