"""Architecture and stored variables -> LayerGraph.

Canonical layers in order, their tensors, edges, and what is missing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.keras.architecture.attributes import attributes
from weightbridge.formats.keras.architecture.classes import CLASSES
from weightbridge.formats.keras.architecture.details import details
from weightbridge.formats.keras.architecture.faults import sensible
from weightbridge.formats.keras.architecture.flow import Flow, Node, Source
from weightbridge.formats.keras.architecture.ops import OF_TENSORFLOW, function_of, operation_of, wrapper_of
from weightbridge.formats.keras.architecture.shapes import output_shape
from weightbridge.formats.keras.variables.loose import MakeTensor, stored_layers
from weightbridge.formats.keras.variables.stored import Store, Stored
from weightbridge.formats.keras.variables.tree import is_custom
from weightbridge.formats.state import SINGULAR_VECTORS
from weightbridge.model.graph import Edge, Layer, Shape
from weightbridge.model.tensors import name_of

PROJECTED = ("", "query", "value", "key")  # the arguments of attention that its projections read
WIDTHS = {  # the tensor that shows how wide a layer is, and what a configuration calls that
    **dict.fromkeys(("Conv", "ConvTranspose"), ("kernel", "filters")),
    "SeparableConv": ("pointwise_kernel", "filters"),
    "Dense": ("kernel", "units"),
    "Embedding": ("embeddings", "output_dim"),
}


@dataclass
class Built:
    """What a graph is made of, as it grows."""

    layers: list[Layer] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    shapes: dict[str, Shape | None] = field(default_factory=dict)


def build(flow: Flow, store: Store, where: str) -> Built:
    """All layers of an architecture with their tensors, then those that the file has beyond it."""
    built = Built()
    shared: dict[Any, str] = {}
    for node in flow.nodes:
        with sensible(node, where):
            described = _described(built, node)
        _add_node(built, node, described, store, shared)
    for stored in store.rest():
        built.layers.extend(stored_layers(stored, stored.name, store.tensor))
    return built


@dataclass(frozen=True, slots=True)
class _Described:
    """What a node's configuration says.

    fed: the shapes of its inputs, the first as the file gives it otherwise.
    """

    op: str
    attributes: dict[str, Any]
    details: dict[str, Any]
    output_shape: Shape | None
    fed: tuple[Shape | None, ...]


def _described(built: Built, node: Node) -> _Described:
    shapes = tuple(built.shapes.get(name) for name in node.inputs)
    first = shapes[0] if shapes and shapes[0] is not None else _built_shape(node)
    fed = (first, *shapes[1:])
    op = op_of(node)
    found = attributes_of(node, op, first)
    if node.op == "Input":
        shape = _input_shape(node)
    else:
        shape = output_shape(op, node.layer.class_name, found, fed if shapes else ())
    return _Described(op, found, details(op, node.layer, node.call, found), shape, fed)


def _add_node(built: Built, node: Node, described: _Described, store: Store, shared: dict[Any, str]) -> None:
    layer, op = node.layer, described.op
    attributes, stored = dict(described.attributes), Stored()
    first = node.owner if layer.shared_id is None else shared.setdefault(layer.shared_id, node.owner)
    if node.name != node.owner:
        attributes["shared_with"] = node.owner
    else:
        stored = store.take(node, described.fed)
        if first != node.owner and stored.missing:
            attributes["shared_with"], stored = first, Stored()
    _add_parts(built, node, stored, store.tensor)
    trainable = bool(attributes["trainable"])
    tensors = tuple(store.tensor(node.name, variable, trainable) for variable in stored.variables)
    shape = described.output_shape
    built.layers.append(Layer(node.name, op, layer.class_name, attributes, tensors, shape, described.details))
    built.shapes[node.name] = shape
    if set(stored.missing) - SINGULAR_VECTORS:  # these are found again at every step
        built.findings.append(_missing(node, stored))
    built.findings.extend(_contradictions(node, op, attributes, stored))


def _add_parts(built: Built, node: Node, stored: Stored, make: MakeTensor) -> None:
    """Sub-layers between the node's parents and the node, and the edges of all of them."""
    parts = [part for part in stored.parts if part.variables]
    if op_of(node) == "Attention":
        _add_projections(built, node, parts, make)
        return
    names = [_add_part(built, node, part, make) for part in parts]
    for name in names:
        built.edges.extend(_edges(node.sources, name))
    ends = [Source(name) for name in names] or node.sources
    built.edges.extend(_edges(ends, node.name))


def _add_projections(built: Built, node: Node, parts: Sequence[Stored], make: MakeTensor) -> None:
    """The projections of attention and then its output; a mask goes to the attention itself."""
    last = [part for part in parts if part.name.endswith("attention_output")]
    first = [part for part in parts if part not in last]
    for part in first:
        name = _add_part(built, node, part, make)
        built.edges.extend(_edges(_projected(node, part), name))
    outputs = [Source(_add_part(built, node, part, make)) for part in last]
    for output in outputs:
        projections = _sources(node, sorted(first, key=_projection))
        built.edges.extend(_edges(projections, output.node))
    ends = outputs or _sources(node, first)
    built.edges.extend(_edges(_with_masks(node, ends) if ends else node.sources, node.name))


def _sources(node: Node, parts: Iterable[Stored]) -> list[Source]:
    return [Source(f"{node.name}/{part.name}") for part in parts]


def _with_masks(node: Node, ends: Sequence[Source]) -> list[Source]:
    masks = [source for source in node.sources if source.keyword not in PROJECTED]
    return [*ends, *masks]


def _add_part(built: Built, node: Node, part: Stored, make: MakeTensor) -> str:
    name = f"{node.name}/{part.name}"
    trainable = bool(node.layer.config.get("trainable", True))
    built.layers.extend(stored_layers(part, name, make, trainable))
    return name


def _edges(sources: Sequence[Source], target: str) -> Iterator[Edge]:
    for i, source in enumerate(sources):
        yield Edge(source.node, target, i, source.port, source.keyword)


def _projection(part: Stored) -> int:
    return ("query", "key", "value", part.name).index(part.name)


def _projected(node: Node, part: Stored) -> list[Source]:
    """What a projection reads: the key's is the value where no key is given; masks are read by none."""
    given = {source.keyword: source for source in node.sources if source.keyword in PROJECTED}
    first = [given.get("", given.get("query"))]
    wanted = {"value": ("value",), "key": ("key", "value")}.get(part.name, ())
    named = [given[keyword] for keyword in wanted if keyword in given]
    return [source for source in (*named, *first) if source is not None][:1]


def op_of(node: Node) -> str:
    """The canonical op of a node."""
    layer = node.layer
    if node.op:
        return node.op
    if layer.layers:
        return wrapper_of(layer)
    if layer.kind == "operation" or layer.class_name in OF_TENSORFLOW:
        return operation_of(layer)
    return CLASSES[layer.class_name].op if layer.class_name in CLASSES and not is_custom(node) else "Opaque"


def attributes_of(node: Node, op: str, fed: Shape | None) -> dict[str, Any]:
    """The canonical attributes of a node that is fed this shape, without the batch."""
    layer = node.layer
    if node.op:
        shape = _input_shape(node)
        found = attributes("", layer.class_name, layer.config, None)
        return (
            {**found, "shape": shape, "dtype": _dtype(layer.config.get("dtype"))}
            if node.op == "Input"
            else found
        )
    if layer.layers:
        return {
            **attributes("", layer.class_name, layer.config, fed),
            **({"axis": -1} if op == "Concat" else {}),
        }
    if layer.class_name == "TFOpLambda":
        return attributes(op, function_of(layer).capitalize(), layer.config, fed)
    return attributes(op, layer.class_name, layer.config, fed)


def _dtype(value: Any) -> str:
    return value if isinstance(value, str) else "float32"


def _input_shape(node: Node) -> Shape | None:
    config = node.layer.config
    return without_batch(config.get("batch_shape", config.get("batch_input_shape")))


def _built_shape(node: Node) -> Shape | None:
    return without_batch(node.layer.build_shape)


def without_batch(shape: Any) -> Shape | None:
    """A config's shape without its batch axis; None where it is no shape."""
    if not isinstance(shape, list | tuple) or not all(n is None or isinstance(n, int) for n in shape):
        return None
    return tuple(shape[1:])


def _contradictions(node: Node, op: str, found: Mapping[str, Any], stored: Stored) -> Iterator[Finding]:
    """WB904 for a layer whose weights cannot be as wide as its configuration says.

    No Keras loads such a file.
    """
    role, width = WIDTHS.get(op, ("", ""))
    said = node.layer.config.get(width) if op == "Embedding" else found.get(width)
    for variable in stored.variables:
        is_packed = name_of(variable.dataset.dtype) == "int8"  # two codes in a byte
        if (
            variable.role == role
            and not is_packed
            and said is not None
            and said not in variable.dataset.shape
        ):
            yield finding(
                "WB904",
                f"{node.name}: the architecture says {width}={said}, "
                f"the file holds a {role} of shape {variable.dataset.shape}",
                source=node.name,
                fix="Save the model again: its weights are not those of its architecture",
            )


def _missing(node: Node, stored: Stored) -> Finding:
    names = ", ".join(stored.missing)
    return finding(
        "WB105",
        f"the architecture's {node.layer.class_name} {node.name} has {names}, of which the file holds none",
        source=node.name,
        fix="Build the model (call it once) before it is saved, or take the weights from another file",
    )
