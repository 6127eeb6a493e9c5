"""A SavedModel of a subclassed Keras model: its layers have configs, its data flow is in code."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from weightbridge.errors import Corrupt
from weightbridge.formats.keras.architecture.classes import CLASSES
from weightbridge.formats.keras.architecture.config import ConfigLayer, parse_model
from weightbridge.formats.keras.architecture.dialects import Origin, normalised
from weightbridge.formats.keras.architecture.flow import Flow, Node, flow_of
from weightbridge.formats.keras.graph import build
from weightbridge.formats.keras.model import code_findings
from weightbridge.formats.keras.variables.loose import chain, unique
from weightbridge.formats.tensorflow.bundle.read import Bundle
from weightbridge.formats.tensorflow.saved_model.keras import Objects, SavedStore, is_layer, tree_of
from weightbridge.formats.tensorflow.tracked import MAX_DEPTH, below
from weightbridge.model.graph import LayerGraph
from weightbridge.model.layouts import with_axes

ALONE = "Sequential"
OWN = "model"  # the layer of the variables that the model itself holds


def graph_of_parts(path: Path, format: str, objects: Objects, bundle: Bundle, origin: Origin) -> LayerGraph:
    """All layers that the model holds, in the order in which it does, and its own variables."""
    places = list(_places(objects))
    parsed = [normalised(_config(objects, name, number, path), origin, str(path)) for name, number in places]
    nodes = tuple(node for layer, _ in parsed for node in _nodes(layer, path))
    flow = Flow(nodes, (), ())
    tree = tree_of(objects, bundle, [*places, (OWN, 0)])
    built = build(flow, SavedStore(tree, bundle, flow), str(path))
    layers = unique(layer for layer in built.layers if layer.tensors or layer.name != OWN)
    if not any(layer.tensors for layer in layers):
        raise Corrupt(
            "the SavedModel holds no weights", where=str(path), fix="Build the model before it is saved"
        )
    of_configs = [finding for _, findings in parsed for finding in findings]
    return LayerGraph(
        path=str(path),
        format=format,
        framework="keras",
        layers=with_axes(layers, "keras"),
        edges=chain(layers),
        findings=(*of_configs, *code_findings(flow), *built.findings),
    )


def _places(objects: Objects) -> Iterator[tuple[str, int]]:
    """Layers by the names on the way to them: Keras's own and whole models closed, others opened."""
    seen = {0}
    stack = _steps(objects, 0, "", 0)
    while stack:
        number, name, depth = stack.pop()
        if number in seen or depth > MAX_DEPTH:
            continue
        seen.add(number)
        is_closed = _is_closed(objects, number)
        if not is_closed:
            stack += _steps(objects, number, _scope(objects, number, name), depth)
        if is_closed or _holds_variables(objects, number):
            yield name, number


def _scope(objects: Objects, number: int, name: str) -> str:
    """What stands before the names of what an object holds: what is no layer adds nothing to it."""
    if is_layer(objects.nodes[number]):
        return f"{name}/"
    above, slash, _ = name.rpartition("/")
    return above + slash


def _holds_variables(objects: Objects, number: int) -> bool:
    """Whether this is a layer with variables of its own."""
    nodes = objects.nodes
    if not is_layer(nodes[number]):
        return False
    children = [nodes[child] for _, child in below(nodes, number)]
    return any(child.is_variable for child in children)


def _steps(objects: Objects, number: int, scope: str, depth: int) -> list[tuple[int, str, int]]:
    """(object, name, depth) of all that an object holds, the first of them last."""
    steps = []
    for label, child in below(objects.nodes, number):
        name = objects.name(child, label)
        steps.append((child, f"{scope}{name}", depth + 1))
    return steps[::-1]


def _is_closed(objects: Objects, number: int) -> bool:
    """Whether this is a layer of Keras's own, or a whole model."""
    metadata = objects.metadata.get(number, {})
    config = metadata.get("config")
    is_model = isinstance(config, dict) and isinstance(config.get("layers"), list)
    return is_layer(objects.nodes[number]) and (is_model or metadata.get("class_name") in CLASSES)


def _config(objects: Objects, name: str, number: int, path: Path) -> ConfigLayer:
    metadata = objects.metadata.get(number, {})
    class_name = metadata.get("class_name") or "Layer"
    value = {"class_name": class_name, "config": metadata.get("config") or {}, "name": name}
    layer = parse_model(value, f"{path}: {name}")
    return replace(layer, build_shape=metadata.get("build_input_shape"))


def _nodes(layer: ConfigLayer, path: Path) -> tuple[Node, ...]:
    """The nodes of one layer, fed by nothing."""
    alone = ConfigLayer(ALONE, ALONE, kind="sequential", layers=(layer,))
    flow = flow_of(alone, str(path))
    nodes = []
    for node in flow.nodes:
        if node.name not in flow.inputs:
            sources = tuple(s for s in node.sources if s.node not in flow.inputs)
            nodes.append(replace(node, sources=sources))
    return tuple(nodes)
