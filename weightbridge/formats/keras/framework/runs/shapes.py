"""A Keras model rebuilt for inputs of another shape: another size, length or batch, the same weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from weightbridge.errors import RunError
from weightbridge.formats.keras.framework.runs.settle import settle, with_words_of
from weightbridge.formats.running import Shape

GRAPHS = frozenset({"Functional", "Sequential"})


def reshaped(model: Any, shapes: Sequence[Shape], where: str) -> Any:
    """The model with these shapes (batch first) at its inputs, in their order.

    Models inside it take any size. RunError where a layer is made for the size that it has: a Dense behind a
    Flatten, a table of positions.
    """
    names = [tensor._keras_history.operation.name for tensor in model.inputs]
    try:
        config = _with_shapes(model.get_config(), dict(zip(names, shapes, strict=True)))
        clone = type(model).from_config(config)
        with_words_of(model, clone)
        _fill(clone, model)
        settle(clone)
    except Exception as error:  # layers raise what they like
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        wanted = ", ".join(map(str, shapes))
        raise RunError(f"the model cannot be rebuilt for {wanted}: {reason}", where=where) from error
    return clone


def _with_shapes(config: Mapping[str, Any], shapes: Mapping[str, Shape]) -> dict[str, Any]:
    """The config of a model, in which the layers are built by the shapes that now reach them."""
    layers = [_layer(layer, shapes) for layer in config["layers"]]
    rest = {key: value for key, value in config.items() if key != "build_input_shape"}
    return {**rest, "layers": layers}


def _layer(layer: Mapping[str, Any], shapes: Mapping[str, Shape]) -> dict[str, Any]:
    found = {key: value for key, value in layer.items() if key != "build_config"}
    config = layer.get("config")
    if not isinstance(config, dict):
        return found
    if layer.get("class_name") == "InputLayer":
        return {**found, "config": _input(config, shapes)}
    if layer.get("class_name") in GRAPHS and "layers" in config:
        return {**found, "config": _with_shapes(config, {})}
    return found


def _input(config: Mapping[str, Any], shapes: Mapping[str, Shape]) -> dict[str, Any]:
    """The shape of an input of the model itself; an inner model keeps its channels alone."""
    name = str(config.get("name"))
    before = list(config.get("batch_shape") or config.get("batch_input_shape") or ())
    free = [None] * (len(before) - 1)
    after = list(shapes[name]) if name in shapes else [*free, *before[-1:]]
    return {**config, "batch_shape": after}


def _fill(clone: Any, model: Any) -> None:
    """All weights but the states of recurrent layers, which have the shape of the batch."""
    pairs = list(zip(clone.weights, model.weights, strict=True))
    states = _states(clone)
    for new, old in pairs:
        if id(new) not in states:
            new.assign(old)


def _states(model: Any) -> frozenset[int]:
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN)]
    held = [keras.tree.flatten(getattr(layer, "states", None) or []) for layer in layers]
    return frozenset(id(state) for states in held for state in states)
