"""Architecture and stored variables -> LayerGraph: canonical layers in order, their tensors, edges, and what
is missing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from weightbridge.diagnostics import Finding, finding
from weightbridge.errors import Corrupt, WeightbridgeError
from weightbridge.formats.keras.architecture.attributes import attributes
from weightbridge.formats.keras.architecture.classes import CLASSES
from weightbridge.formats.keras.architecture.flow import Flow, Node
from weightbridge.formats.keras.architecture.ops import function_of, operation_of, wrapper_of
from weightbridge.formats.keras.architecture.shapes import output_shape
from weightbridge.formats.keras.variables.loose import MakeTensor, stored_layers
from weightbridge.formats.keras.variables.stored import Store, Stored
from weightbridge.formats.keras.variables.tree import is_custom
from weightbridge.model.graph import Edge, Layer, Shape

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
        try:
            _add_node(built, node, store, shared)
        except WeightbridgeError:
            raise
        except (
            TypeError,
            ValueError,
            KeyError,
            IndexError,
            AttributeError,
            ZeroDivisionError,
            OverflowError,
            RecursionError,
        ) as error:
            raise Corrupt(
                f"the configuration of this {node.layer.class_name} makes no sense: {error!r}",
                where=f"{where}: {node.name}",
                fix="Save the model again",
            ) from error
    for stored in store.rest():
        built.layers.extend(stored_layers(stored, stored.name, store.tensor))
    return built


def _add_node(built: Built, node: Node, store: Store, shared: dict[Any, str]) -> None:
    shapes = tuple(built.shapes.get(n) for n in node.inputs)
    fed = shapes[0] if shapes and shapes[0] is not None else _built_shape(node)
    op = op_of(node)
    found = _attributes(node, op, fed)
    shape = (
        _input_shape(node)
        if node.op == "Input"
        else output_shape(op, node.layer.class_name, found, (fed, *shapes[1:]) if shapes else ())
    )
    stored = Stored()
    first = (
        shared.setdefault(node.layer.shared_id, node.owner)
        if node.layer.shared_id is not None
        else node.owner
    )
    if node.name != node.owner:
        found["shared_with"] = node.owner
    else:
        stored = store.take(node, (fed, *shapes[1:]))
        if first != node.owner and stored.missing:
            found["shared_with"], stored = first, Stored()
    trainable = bool(found["trainable"])
    _add_parts(built, node, stored, store.tensor)
    tensors = tuple(store.tensor(node.name, v, trainable) for v in stored.variables)
    built.layers.append(Layer(node.name, op, node.layer.class_name, found, tensors, shape))
    built.shapes[node.name] = shape
    if stored.missing:
        built.findings.append(_missing(node, stored))
    built.findings.extend(_contradictions(node, op, found, stored))


def _add_parts(built: Built, node: Node, stored: Stored, make: MakeTensor) -> None:
    """Sub-layers between the node's parents and the node; of attention, the projections first and then the
    output.
    """
    parts = [part for part in stored.parts if part.variables]
    last = [p for p in parts if p.name.endswith("attention_output")] if op_of(node) == "Attention" else []
    names = {id(p): f"{node.name}/{p.name}" for p in parts}
    for part in (*(p for p in parts if p not in last), *last):
        built.layers.extend(
            stored_layers(part, names[id(part)], make, bool(node.layer.config.get("trainable", True)))
        )
        sources = (
            [names[id(p)] for p in sorted(parts, key=_projection) if p not in last]
            if part in last
            else list(node.inputs)
        )
        if op_of(node) == "Attention" and part not in last:
            sources = _projected(node, part)
        built.edges.extend(Edge(source, names[id(part)], i) for i, source in enumerate(sources))
    ends = [names[id(p)] for p in (last or parts)] or list(node.inputs)
    built.edges.extend(Edge(end, node.name, i) for i, end in enumerate(ends))


def _projection(part: Stored) -> int:
    return ("query", "key", "value", part.name).index(part.name)


def _projected(node: Node, part: Stored) -> list[str]:
    """Attention is called with query, value and key; the key is the value where it is left out."""
    place = {"query": 0, "value": 1, "key": 2}.get(part.name, 0)
    return [node.inputs[min(place, len(node.inputs) - 1)]] if node.inputs else []


def op_of(node: Node) -> str:
    """The canonical op of a node."""
    layer = node.layer
    if node.op:
        return node.op
    if layer.layers:
        return wrapper_of(layer)
    if layer.kind == "operation" or layer.class_name in (
        "TFOpLambda",
        "SlicingOpLambda",
        "TensorFlowOpLayer",
    ):
        return operation_of(layer)
    return CLASSES[layer.class_name].op if layer.class_name in CLASSES and not is_custom(node) else "Opaque"


def _attributes(node: Node, op: str, fed: Shape | None) -> dict[str, Any]:
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
    """WB904 for a layer whose weights cannot be as wide as its configuration says: no Keras loads such a
    file.
    """
    role, width = WIDTHS.get(op, ("", ""))
    said = node.layer.config.get(width) if op == "Embedding" else found.get(width)
    for variable in stored.variables:
        if variable.role == role and said is not None and said not in variable.dataset.shape:
            yield finding(
                "WB904",
                f"{node.name}: the architecture says {width}={said}, the file holds a {role} of shape {variable.dataset.shape}",
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
