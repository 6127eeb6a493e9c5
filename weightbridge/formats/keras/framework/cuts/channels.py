"""Whether a tensor of a Keras model has its channels first, and the layers that turn it."""

from typing import Any

import keras

FIRST = "channels_first"


def has_channels_first(model: Any, tensor: Any) -> bool:
    """By the nearest layer before it that says so, else by all of the model's layers that do."""
    if len(tensor.shape) < 3:
        return False
    todo, seen = [tensor], set[int]()
    while todo:
        operation = todo.pop(0)._keras_history.operation
        if id(operation) in seen:
            continue
        seen.add(id(operation))
        told = _told(operation)
        if told is not None:
            return told
        todo += operation._inbound_nodes[0].input_tensors
    formats = {_told(layer) for layer in model._flatten_layers()} - {None}
    return formats == {True}


def channels_last(x: Any, name: str) -> Any:
    places = range(2, len(x.shape))
    return keras.layers.Permute((*places, 1), name=name)(x)


def channels_first(x: Any, name: str) -> Any:
    last = len(x.shape) - 1
    return keras.layers.Permute((last, *range(1, last)), name=name)(x)


def _told(operation: Any) -> bool | None:
    """None where it works on whatever order there is."""
    if isinstance(operation, keras.layers.Permute):
        places = range(1, len(operation.dims) + 1)
        turned = {(*places[1:], 1): False, (places[-1], *places[:-1]): True}
        return turned.get(tuple(operation.dims))
    is_flat = isinstance(operation, keras.layers.Flatten)
    found = None if is_flat else getattr(operation, "data_format", None)
    return None if found is None else found == FIRST
