"""Flow: a model as a list of operations that can be run one by one, and whose weights can be set between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from weightbridge.model.tensors import Array

Kind = Literal[
    "input",
    "conv",  # with groups too
    "depthwise",
    "separable",
    "dense",
    "batchnorm",
    "norm",  # of statistics of its own input: LayerNorm and the like
    "scale",  # one factor per channel
    "elementwise",  # without weights: activations
    "pass",  # dropout and the like: its input, at inference
    "pool",
    "concat",
    "add",
    "other",  # whatever else has no weights
    "opaque",  # whatever else has weights
]


@dataclass(frozen=True, slots=True)
class Node:
    """One operation.

    name: the layer, as the graph names it; an activation inside of a layer is a node of its own, `layer:act`.
    inputs: the nodes that it reads, by their places in the flow. shape: of one item, without the batch.
    settings: of a layer with a kernel: strides, dilation, padding, groups; of a norm: epsilon.
    roles: its weights. again: whether an earlier node is the same layer.
    """

    name: str
    kind: Kind
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    again: bool = False


class Flow(Protocol):
    """A model with one input and one output as operations in the order in which they can be run."""

    @property
    def nodes(self) -> tuple[Node, ...]: ...

    @property
    def where(self) -> str: ...

    def run(self, node: int, arrays: Sequence[Array]) -> Array:
        """What the node gives at inference for these, batch first. RunError where it cannot run."""
        ...

    def weights(self, node: int) -> dict[str, Array]:
        """By role."""
        ...

    def fill(self, values: Mapping[str, Array]) -> None:
        """Sets tensors by their names in the model's graph."""
        ...

    def names(self, node: int) -> dict[str, str]:
        """By role, what the model's graph calls the tensor."""
        ...

    def assign(self, node: int, values: Mapping[str, Array]) -> None: ...


def readers(nodes: Sequence[Node]) -> tuple[tuple[int, ...], ...]:
    """By node, those that read it."""
    found: list[list[int]] = [[] for _ in nodes]
    for i, node in enumerate(nodes):
        for j in dict.fromkeys(node.inputs):
            found[j].append(i)
    return tuple(map(tuple, found))


class Held:
    """What nodes have given, for as long as a later node reads it or somebody wants it.

    wanted: how often each node is wanted besides.
    """

    def __init__(self, flow: Flow, x: Array, wanted: Mapping[int, int]) -> None:
        self._flow, self._x, self._wanted = flow, x, dict(wanted)
        self._left = [len(found) for found in readers(flow.nodes)]
        self._values: dict[int, Array] = {}

    def __contains__(self, i: int) -> bool:
        return i in self._values

    def __getitem__(self, i: int) -> Array:
        return self._values[i]

    def get(self, i: int) -> Array | None:
        return self._values.get(i)

    def inputs(self, i: int) -> list[Array]:
        return [self._values[j] for j in self._flow.nodes[i].inputs]

    def run(self, i: int) -> Array:
        """Runs a node whose inputs are there, and lets go what it was the last to read."""
        node = self._flow.nodes[i]
        self._values[i] = self._x if node.kind == "input" else self._flow.run(i, self.inputs(i))
        for j in dict.fromkeys(node.inputs):
            self._left[j] -= 1
            self._let_go(j)
        return self._values[i]

    def take(self, i: int) -> Array:
        """A wanted value, once."""
        value = self._values[i]
        self._wanted[i] -= 1
        self._let_go(i)
        return value

    def _let_go(self, i: int) -> None:
        if not self._left[i] and not self._wanted.get(i):
            self._values.pop(i, None)


def forward(flow: Flow, x: Array, wanted: int) -> Array:
    """What one node gives."""
    held = Held(flow, x, {wanted: 1})
    for i in range(wanted + 1):
        held.run(i)
    return held.take(wanted)
