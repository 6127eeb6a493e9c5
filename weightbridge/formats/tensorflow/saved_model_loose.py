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
from weightbridge.formats.tensorflow.saved_model_keras import Objects, SavedStore, is_layer, tree_of
from weightbridge.formats.tensorflow.tensor_bundle import Bundle
from weightbridge.formats.tensorflow.tracked import MAX_DEPTH, below
from weightbridge.model.graph import LayerGraph

ALONE = "Sequential"


def graph_of_parts(path: Path, format: str, objects: Objects, bundle: Bundle, origin: Origin) -> LayerGraph:
    """All layers that the model holds, in the order in which it does, and its own variables."""
    places = list(_places(objects))
    parsed = [normalised(_config(objects, name, number, path), origin) for name, number in places]
    nodes = tuple(node for layer, _ in parsed for node in _nodes(layer, path))
    flow = Flow(nodes, (), ())
    built = build(
        flow, SavedStore(tree_of(objects, bundle, [*places, ("model", 0)]), bundle, flow), str(path)
    )
    layers = unique(layer for layer in built.layers if layer.tensors or layer.name != "model")
    if not any(layer.tensors for layer in layers):
        raise Corrupt(
            "the SavedModel holds no weights", where=str(path), fix="Build the model before it is saved"
        )
    findings = (*(f for _, found in parsed for f in found), *code_findings(flow), *built.findings)
    return LayerGraph(
        path=str(path),
        format=format,
        framework="keras",
        layers=layers,
        edges=chain(layers),
        findings=findings,
    )


def _places(objects: Objects) -> Iterator[tuple[str, int]]:
    """Layers by the names on the way to them: Keras's own and whole models closed, others opened."""
    seen = {0}
    stack: list[tuple[int, str, int]] = [
        (child, objects.name(child, name), 1) for name, child in reversed(list(below(objects.nodes, 0)))
    ]
    while stack:
        number, name, depth = stack.pop()
        if number in seen or depth > MAX_DEPTH:
            continue
        seen.add(number)
        held = [(child, label) for label, child in reversed(list(below(objects.nodes, number)))]
        if is_layer(objects.nodes[number]) and _is_known(objects, number):
            yield name, number
            continue
        inner = (
            f"{name}/"
            if is_layer(objects.nodes[number])
            else name.rpartition("/")[0] + "/"
            if "/" in name
            else ""
        )
        stack.extend((child, f"{inner}{objects.name(child, label)}", depth + 1) for child, label in held)
        if is_layer(objects.nodes[number]) and any(objects.nodes[child].is_variable for child, _ in held):
            yield name, number


def _is_known(objects: Objects, number: int) -> bool:
    told = objects.metadata.get(number, {})
    config = told.get("config")
    return told.get("class_name") in CLASSES or (
        isinstance(config, dict) and isinstance(config.get("layers"), list)
    )


def _config(objects: Objects, name: str, number: int, path: Path) -> ConfigLayer:
    told = objects.metadata.get(number, {})
    value = {
        "class_name": told.get("class_name") or "Layer",
        "config": told.get("config") or {},
        "name": name,
    }
    return replace(parse_model(value, f"{path}: {name}"), build_shape=told.get("build_input_shape"))


def _nodes(layer: ConfigLayer, path: Path) -> tuple[Node, ...]:
    """The nodes of one layer, fed by nothing."""
    flow = flow_of(ConfigLayer(ALONE, ALONE, kind="sequential", layers=(layer,)), str(path))
    fed = set(flow.inputs)
    return tuple(
        replace(n, inputs=tuple(i for i in n.inputs if i not in fed)) for n in flow.nodes if n.name not in fed
    )
