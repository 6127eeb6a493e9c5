"""The graph as it grows: nodes, constants and weights by names of their own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from weightbridge.converting.to_onnx.values import Value
from weightbridge.converting.values import Weight
from weightbridge.formats.onnx.emit.values import ELEMENT_TYPES, Initializer
from weightbridge.formats.onnx.proto import Node, ValueInfo
from weightbridge.model.tensors import Tensor


class Writer:
    """Collects a graph. The nodes of one layer are named after it once they are all there."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.nodes: list[Node] = []
        self.initializers: list[Initializer] = []
        self.inputs: list[ValueInfo] = []
        self.weights: dict[str, Weight] = {}
        self.arranged: dict[str, dict[tuple[int, ...], Value]] = {}
        self.renamed: dict[str, str] = {}  # values that have got a layer's name
        self._names: dict[str, int] = {}
        self._nodes_named: dict[str, int] = {}
        self._places: dict[str, str] = {}  # what a weight is -> its name
        self._layer, self._first = "", 0

    def begin(self, layer: str) -> None:
        """What follows belongs to this layer."""
        self._layer, self._first = layer, len(self.nodes)

    def end(self, outputs: tuple[Value, ...]) -> tuple[Value, ...]:
        """Names the layer's nodes; what it gives first gets its name."""
        own = self.nodes[self._first :]
        made = {name for node in own for name in node.outputs}
        renamed: dict[str, str] = {}
        if outputs and outputs[0].name in made and outputs[0].name not in self._places.values():
            renamed = {outputs[0].name: self.unique(self._layer)}
        main = self._main(own)
        for place, node in enumerate(own):
            name = self._layer if node is main else f"{self._layer}/{node.op}"
            self.nodes[self._first + place] = _renamed(node, self._named(name), renamed)
        self.renamed |= renamed
        for old, new in renamed.items():
            self.arranged[new] = self.arranged.pop(old, {})
        return tuple(value.named(renamed.get(value.name, value.name)) for value in outputs)

    def op(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, whose name it returns."""
        return self.ops(op, inputs, 1, **attributes)[0]

    def ops(self, op: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> tuple[str, ...]:
        """A node with several outputs."""
        names = tuple(self.unique(f"{self._layer}/{op}") for _ in range(outputs))
        given = {name: value for name, value in attributes.items() if value is not None}
        self.nodes.append(Node("", op, "", tuple(inputs), names, given))
        return names

    def unsqueezed(self, name: str, axes: Sequence[int]) -> str:
        """With axes of length 1 put in."""
        return self.op("Unsqueeze", name, self.integers("axes", axes))

    def squeezed(self, name: str, axes: Sequence[int]) -> str:
        """Without these axes of length 1."""
        return self.op("Squeeze", name, self.integers("axes", axes))

    def constant(self, hint: str, values: Any, dtype: str = "float32") -> str:
        """An initializer with its value."""
        array = np.asarray(values, dtype)
        name = self.unique(f"{self._layer}/{hint}")
        self.initializers.append(Initializer(name, array.shape, dtype, array))
        return name

    def integers(self, hint: str, values: Sequence[int]) -> str:
        return self.constant(hint, list(values), "int64")

    def weight(
        self,
        tensor: Tensor | Sequence[Tensor],
        shape: Sequence[int],
        transform: str = "",
        parameters: Mapping[str, Any] | None = None,
        name: str = "",
        dtype: str = "float32",
    ) -> str:
        """An initializer whose value comes from the source; the same one where it is asked for again."""
        tensors = (tensor,) if isinstance(tensor, Tensor) else tuple(tensor)
        sources, given = tuple(t.name for t in tensors), dict(parameters or {})
        asked = json.dumps([sources, transform, given, list(shape)], sort_keys=True)
        if asked not in self._places:
            wanted = self.unique(name or sources[0])
            self._places[asked] = wanted
            self.initializers.append(Initializer(wanted, tuple(shape), dtype))
            layer, role = self._layer, tensors[0].role
            self.weights[wanted] = Weight(layer, role, sources, tuple(shape), transform, given)
        return self._places[asked]

    def input(self, name: str, shape: Sequence[int | None], dtype: str) -> str:
        wanted = self.unique(name)
        self.inputs.append(ValueInfo(wanted, ELEMENT_TYPES[dtype], tuple(shape)))
        return wanted

    def rename(self, wanted: Mapping[str, str]) -> None:
        """Other names for values; a value that has one of them already gets another."""
        moved = {name: self.unique(f"{name}/value") for name in wanted.values() if name not in wanted}
        renamed = {**moved, **wanted}
        self.nodes = [_renamed(node, node.name, renamed) for node in self.nodes]

    def is_undone(self, made: str, fed: str) -> bool:
        """Whether the last node alone is between these values, as a Reshape, and is taken back."""
        node = self.nodes[-1] if self.nodes else None
        if node is None or (node.op, node.outputs, node.inputs[0]) != ("Reshape", (made,), fed):
            return False
        self.nodes.pop()
        self.initializers = [one for one in self.initializers if one.name != node.inputs[1]]
        return True

    def unique(self, name: str) -> str:
        """The name, with a number behind it where it is taken."""
        return _counted(name, self._names)

    def _named(self, name: str) -> str:
        return _counted(name, self._nodes_named)

    def _main(self, nodes: Sequence[Node]) -> Node | None:
        """The node that is the layer: the first one that reads a weight, else the last one."""
        reading = (node for node in nodes if any(name in self.weights for name in node.inputs))
        return next(reading, nodes[-1] if nodes else None)


def _counted(name: str, taken: dict[str, int]) -> str:
    number = taken.get(name, 0)
    taken[name] = number + 1
    if not number:
        return name
    return _counted(f"{name}_{number}", taken)


def _renamed(node: Node, name: str, renamed: Mapping[str, str]) -> Node:
    inputs = tuple(renamed.get(value, value) for value in node.inputs)
    outputs = tuple(renamed.get(value, value) for value in node.outputs)
    return replace(node, name=name, inputs=inputs, outputs=outputs)
