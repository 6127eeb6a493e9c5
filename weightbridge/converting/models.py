"""Models: their layers in Keras 3's order, what feeds what, inputs and outputs."""

from collections.abc import Mapping
from typing import Any

from weightbridge.converting.calls import inbound, tensors
from weightbridge.converting.layers import layer_entry, object_entry
from weightbridge.converting.operations import FUNCTIONS, operation
from weightbridge.converting.values import Config, Said, note
from weightbridge.formats.keras.architecture.arguments import Reference
from weightbridge.formats.keras.architecture.calls import Calls, calls_of
from weightbridge.formats.keras.architecture.config import MODELS, ConfigLayer
from weightbridge.formats.keras.architecture.flow import implied_input, told_shape
from weightbridge.formats.keras.architecture.order import keras_order
from weightbridge.model.graph import LayerGraph

UNREACHED = "no output of the model needs the layer, and Keras 3 keeps no such layer"
SHAPELESS = "the model does not say the shape of its input"


def model_entry(model: ConfigLayer, graph: LayerGraph, said: Said, scope: str = "") -> Config:
    """A model as Keras 3 writes it."""
    if model.kind == "sequential":
        return _sequential(model, graph, said, scope)
    return _functional(model, graph, said, scope)


def _entry(layer: ConfigLayer, graph: LayerGraph, said: Said, scope: str) -> Config:
    if layer.kind in MODELS:
        return model_entry(layer, graph, said, f"{scope}{layer.name}/")
    inner = f"{scope}{layer.name}/"
    return layer_entry(layer, said, lambda model: model_entry(model, graph, said, f"{inner}{model.name}/"))


def _sequential(model: ConfigLayer, graph: LayerGraph, said: Said, scope: str) -> Config:
    layers = list(model.layers)
    if layers and layers[0].class_name != "InputLayer":
        if told_shape(layers[0]) is not None:
            layers.insert(0, implied_input(layers[0]))
        elif not scope:
            note(said.refused, SHAPELESS, model.name)
    entries = [_entry(layer, graph, said, scope) for layer in layers]
    config = {"name": model.name, **_trainable(model), "layers": entries}
    return object_entry("keras", "Sequential", config)


def _functional(model: ConfigLayer, graph: LayerGraph, said: Said, scope: str) -> Config:
    calls, layers = calls_of(model), keras_order(model)
    kept, tensor = {layer.name for layer in layers}, tensors(calls, graph, scope)
    for layer in model.layers:
        if layer.name not in kept:
            note(said.left, UNREACHED, f"{scope}{layer.name}")
    entries = []
    for layer in layers:
        if layer.class_name in FUNCTIONS:
            entry, nodes = operation(layer, tensor, said)
        else:
            entry, nodes = _entry(layer, graph, said, scope), inbound(layer, tensor)
        entries.append({**entry, "name": layer.name, "inbound_nodes": nodes})
    config = {
        "name": model.name,
        **_trainable(model),
        "layers": entries,
        "input_layers": _ends(model.config.get("input_layers"), model.inputs, _input),
        "output_layers": _ends(
            model.config.get("output_layers"), model.outputs, lambda r: _output(r, calls, model)
        ),
    }
    return object_entry("keras.src.models.functional", "Functional", config, "Functional")


def _trainable(model: ConfigLayer) -> Config:
    return {"trainable": False} if model.config.get("trainable") is False else {}


def _ends(told: Any, references: tuple[Reference, ...], written: Any) -> Any:
    """One is written alone, several as a list, named ones as they are named."""
    ends = [written(reference) for reference in references]
    if isinstance(told, Mapping) and len(told) == len(ends):
        return dict(zip(told, ends, strict=True))
    return ends[0] if len(ends) == 1 else ends


def _input(reference: Reference) -> list[Any]:
    return [reference.layer, 0, 0]


def _output(reference: Reference, calls: Calls, model: ConfigLayer) -> list[Any]:
    """At outputs Keras 3 counts the calls of a functional model from 1."""
    nested = {layer.name for layer in model.layers if layer.kind == "functional"}
    number = calls.number(reference, output=True)
    return [reference.layer, number + (reference.layer in nested), reference.tensor]
