"""What a layer is called with, as Keras 3 writes it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from weightbridge.converting.keras_classes import MERGES
from weightbridge.converting.operations import Tensors
from weightbridge.converting.parts import ellipsis_entry, slice_entry
from weightbridge.converting.values import Config
from weightbridge.formats.keras.architecture.arguments import Call, Reference
from weightbridge.formats.keras.architecture.calls import Calls
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.formats.keras.architecture.order import as_called
from weightbridge.model.graph import LayerGraph

# operations that are called with one list of tensors; others take each for itself
LISTED = frozenset({"Concatenate", "Stack", "Hstack", "Vstack", "Dstack", "Block"})


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
    keywords: Config = {key: value for key, value in call.keywords.items() if key != "name"}
    for reference in as_called(call):
        if reference.keyword:
            _put(keywords, reference.keyword, tensor(reference))
    return {"args": _positional(layer, call, tensor), "kwargs": keywords}


def _positional(layer: ConfigLayer, call: Call, tensor: Tensors) -> Any:
    if layer.kind == "operation" and call.arguments:
        places = call.arguments if layer.class_name == "GetItem" else tuple(map(_as_array, call.arguments))
        return _filled(places, call, tensor)
    first = [tensor(reference) for reference in as_called(call) if not reference.keyword]
    return [first] if _takes_a_list(layer, len(first)) else first


def _takes_a_list(layer: ConfigLayer, count: int) -> bool:
    if layer.kind == "operation":
        return layer.class_name in LISTED
    return count != 1 or layer.class_name in MERGES


def _filled(value: Any, call: Call, tensor: Tensors) -> Any:
    """What an operation is called with, constants among tensors."""
    if isinstance(value, Mapping) and value.keys() == {"input"}:
        return tensor(call.inputs[value["input"]])
    if isinstance(value, Mapping) and value.keys() == {"slice"}:
        return slice_entry(*value["slice"])
    if value == "...":
        return ellipsis_entry()
    if isinstance(value, tuple):
        return [_filled(one, call, tensor) for one in value]
    return value


def _as_array(value: Any) -> Any:
    """The numbers of an array as Keras writes one."""
    if not isinstance(value, tuple) or not _are_numbers(value):
        return value
    dtype = "float32" if np.asarray(value).dtype.kind == "f" else "int32"
    return {"class_name": "__tensor__", "config": {"value": value, "dtype": dtype}}


def _are_numbers(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_are_numbers, value))
    return isinstance(value, int | float)


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
