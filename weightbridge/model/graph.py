"""Layer and LayerGraph: a model as layers in canonical vocabulary, joined by data flow where known."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding
from weightbridge.model.tensors import Tensor

if TYPE_CHECKING:
    import networkx as nx

Shape = tuple[int | None, ...]
Reason = Literal["optimizer", "state"]
Order = Literal["flow", "list", "class", "names", "none"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: op in the canonical vocabulary, attributes in canonical form, its own tensors.

    name: path in its scopes (`outer/inner/conv1`), unique in the graph.
    op: `Input`, `Conv`, `ConvTranspose`, `DepthwiseConv`, `SeparableConv`, `Dense`, `EinsumDense`,
        `BatchNorm`, `LayerNorm`, `GroupNorm`, `RMSNorm`, `Embedding`, `LSTM`, `GRU`, `RNN`, `Attention`,
        `Add`, `Multiply`, `Concat`, `Flatten`, `Reshape`,
        `Pool`, `GlobalPool`, `Pad`, `Activation`, `Dropout`, `Identity`, ...;
        `Opaque` for an unknown class.
    class_name: what the format itself calls it (`Conv2D`, `Gemm`).
    attributes: canonical (see docs/attributes.md); values are JSON-like, tuples instead of lists.
        These are what matching, the semantic diff, the structure hash and `inspect` know.
    details: canonical too, under other names: what running or rebuilding the layer needs beyond `attributes`.
    output_shape: without the batch axis, None for unknown lengths; None where it is not known at all.
    """

    name: str
    op: str
    class_name: str = ""
    attributes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    tensors: tuple[Tensor, ...] = ()
    output_shape: Shape | None = None
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def settings(self) -> Mapping[str, Any]:
        """Attributes and details together: all that is known of the layer beside its tensors."""
        return MappingProxyType({**self.details, **self.attributes})

    def tensor(self, role: str) -> Tensor | None:
        """The tensor of this role, None where the layer has none."""
        return next((t for t in self.tensors if t.role == role), None)


@dataclass(frozen=True, slots=True)
class Port:
    """One output of a layer: an LSTM with its states has several, most layers have output 0 alone."""

    layer: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """What one layer gives to another.

    position: the index among the inputs of `target`. port: the index among the outputs of `source`.
    keyword: the argument of `target` where it is not its first (`value`, `mask`, `initial_state.0`), else "".
    """

    source: str
    target: str
    position: int = 0
    port: int = 0
    keyword: str = ""


@dataclass(frozen=True, slots=True)
class Excluded:
    """A stored tensor that is no weight of the model: optimizer state, seed generators, metrics."""

    name: str
    reason: Reason
    size: int


@dataclass(frozen=True, repr=False)
class LayerGraph:
    """A model: layers in the file's own order (topological where `has_flow`), edges by layer name.

    outputs: the layers that give the model's outputs; output_ports: each output, in the model's own order.
    fixed_outputs: outputs that no layer gives, since their values stand in the file.
    framework: `keras`, `onnx` or `torch`: whose layouts the tensors have.
    order: how the file orders its layers: as data flows, as the model lists them, so within a class alone
    (`class`), by their names, or otherwise (`none`: as attributes are declared, or as scopes come).
    stored_order: names of the tensors in the order in which a legacy Keras file lists them; empty for formats
    without one.
    effective: the same model with the weights that are computed from several stored tensors; None where all
    weights are stored as they are.
    head_width: channels of an attention head, where the file or what lies beside it says so, else 0.
    files: further files that hold tensors, where `path` is an index of shards or a folder.
    architecture: what a Keras file's configuration says, as a tree in today's terms; None for other files.
    """

    path: str
    format: str
    framework: str
    producer: str = ""
    layers: tuple[Layer, ...] = ()
    edges: tuple[Edge, ...] = ()
    has_flow: bool = False
    order: Order = "list"
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    output_ports: tuple[Port, ...] = ()
    fixed_outputs: tuple[str, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    stored_order: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    effective: "LayerGraph | None" = None
    head_width: int = 0
    architecture: Any = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        """One line: `<LayerGraph 'mine.keras': keras-zip, 12 layers, 17 tensors, 14,618 parameters>`."""
        sizes = ((len(self.layers), "layer"), (len(self.tensors), "tensor"), (self.parameters, "parameter"))
        counts = ", ".join(f"{number:,} {name}{'s' * (number != 1)}" for number, name in sizes)
        return f"<LayerGraph {self.path!r}: {self.format}, {counts}>"

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """All weights, layer by layer."""
        return tuple(t for layer in self.layers for t in layer.tensors)

    @cached_property
    def tensor_by_name(self) -> Mapping[str, Tensor]:
        return MappingProxyType({t.name: t for t in self.tensors})

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Where each layer stands in `layers`."""
        return MappingProxyType({layer.name: n for n, layer in enumerate(self.layers)})

    @cached_property
    def by_name(self) -> Mapping[str, Layer]:
        return MappingProxyType({layer.name: layer for layer in self.layers})

    @cached_property
    def owner(self) -> Mapping[str, Layer]:
        """The layer of each tensor's name."""
        return MappingProxyType({t.name: layer for layer in self.layers for t in layer.tensors})

    @cached_property
    def edges_into(self) -> Mapping[str, tuple[Edge, ...]]:
        """The edges into each layer, in the order of its inputs."""
        return _by_layer(self, lambda edge: edge.target)

    @cached_property
    def parents(self) -> Mapping[str, tuple[str, ...]]:
        """The layers that feed each layer, in the order of its inputs."""
        into = self.edges_into.items()
        return MappingProxyType({name: tuple(edge.source for edge in edges) for name, edges in into})

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        out_of = _by_layer(self, lambda edge: edge.source).items()
        return MappingProxyType({name: tuple(edge.target for edge in edges) for name, edges in out_of})

    @cached_property
    def is_from_keras(self) -> bool:
        """Whether the layers' names and order are Keras's.

        The file of a model in code may have no more of Keras than the layouts of its tensors.
        """
        return self.framework == "keras" and self.order != "none"

    @cached_property
    def parameters(self) -> int:
        return sum(t.size for t in self.tensors)

    @cached_property
    def structure(self) -> str:
        """SHA-256 over the layers (names, ops, attributes), tensors (names, shapes, dtypes) and edges."""
        digest = hashlib.sha256(self.format.encode())
        for layer in self.layers:
            tensors = [(t.name, t.role, t.shape, t.dtype) for t in layer.tensors]
            attributes = dict(layer.attributes)
            digest.update(_canonical([layer.name, layer.op, layer.class_name, attributes, tensors]))
        edges = sorted((edge.source, edge.target, edge.position) for edge in self.edges)
        digest.update(_canonical(edges))
        return digest.hexdigest()

    @cached_property
    def dag(self) -> "nx.DiGraph[str]":
        """The graph for networkx, frozen: nodes are layer names with a `layer` attribute.

        Edges carry `position`, `port` and `keyword`. It is a MultiDiGraph where two edges join one pair.
        """
        import networkx as nx  # 0.2 s and 25 MB that a mere check can do without

        pairs = {(edge.source, edge.target) for edge in self.edges}
        dag: nx.DiGraph[str] = nx.MultiDiGraph() if len(pairs) < len(self.edges) else nx.DiGraph()
        dag.add_nodes_from((layer.name, {"layer": layer}) for layer in self.layers)
        for edge in self.edges:
            dag.add_edge(
                edge.source, edge.target, position=edge.position, port=edge.port, keyword=edge.keyword
            )
        return nx.freeze(dag)  # type: ignore[no-any-return]  # networkx types freeze as Any


def _by_layer(graph: LayerGraph, end: Callable[[Edge], str]) -> Mapping[str, tuple[Edge, ...]]:
    """For each layer the edges that have it at this end, by their positions."""
    placed: dict[str, list[Edge]] = {layer.name: [] for layer in graph.layers}
    for edge in graph.edges:
        placed[end(edge)].append(edge)
    sorted_edges = ((name, sorted(edges, key=lambda e: e.position)) for name, edges in placed.items())
    return MappingProxyType({name: tuple(edges) for name, edges in sorted_edges})


def _canonical(value: Any) -> bytes:
    """JSON with sorted keys and no blanks: equal values give equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return text.encode("utf-8", "surrogatepass")
