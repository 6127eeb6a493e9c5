"""What a layer is called with, as Keras 3 writes it."""

from weightbridge.converting.keras_classes import MERGES
from weightbridge.converting.operations import Tensors
from weightbridge.converting.values import Config
from weightbridge.formats.keras.architecture.arguments import Call, Reference
from weightbridge.formats.keras.architecture.calls import Calls
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.formats.keras.architecture.order import as_called
from weightbridge.model.graph import LayerGraph


def tensors(calls: Calls, graph: LayerGraph, scope: str) -> Tensors:
    """How Keras 3 refers to the output of a call."""

    def tensor(reference: Reference) -> Config:
        number = calls.number(reference)
        return _keras_tensor(reference, number, _shape(graph, scope, reference, number))

    return tensor


def inbound(layer: ConfigLayer, tensor: Tensors) -> list[Config]:
    """The calls of a layer in a functional model."""
    if layer.class_name == "InputLayer":
        return []
    return [_called(layer, call, tensor) for call in layer.calls]


def _called(layer: ConfigLayer, call: Call, tensor: Tensors) -> Config:
    fed = as_called(call)
    first = [tensor(reference) for reference in fed if not reference.keyword]
    is_list = len(first) != 1 or layer.class_name in MERGES
    keywords: Config = {key: value for key, value in call.keywords.items() if key != "name"}
    for reference in fed:
        if reference.keyword:
            _put(keywords, reference.keyword, tensor(reference))
    return {"args": [first] if is_list else first, "kwargs": keywords}


def _put(keywords: Config, keyword: str, tensor: Config) -> None:
    """`initial_state.0` is the first of a list."""
    name, _, place = keyword.partition(".")
    if place:
        keywords.setdefault(name, []).append(tensor)
    else:
        keywords[name] = tensor


def _keras_tensor(reference: Reference, number: int, shape: list[int | None]) -> Config:
    config = {
        "shape": shape,
        "dtype": "float32",
        "keras_history": [reference.layer, number, reference.tensor],
    }
    return {"class_name": "__keras_tensor__", "config": config}


def _shape(graph: LayerGraph, scope: str, reference: Reference, number: int) -> list[int | None]:
    """As far as it is known: Keras computes it anew."""
    name = f"{scope}{reference.layer}"
    layer = graph.by_name.get(f"{name}#{number}" if number else name)
    known = None if layer is None or reference.tensor else layer.output_shape
    return [None] if known is None else [None, *known]
