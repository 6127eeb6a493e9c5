"""What the variables of a Keras model hold while it runs, in place of their own values."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras

from weightbridge.formats.keras.framework.backends import as_array
from weightbridge.formats.keras.framework.runs.logits import replaced
from weightbridge.formats.keras.framework.walk import live_layers
from weightbridge.formats.running import Change

Values = tuple[tuple[Any, Any], ...]  # a variable and its value


@contextmanager
def holding(model: Any, values: Values) -> Iterator[None]:
    """While open, the variables hold these values, and whatever is assigned to any is forgotten afterwards.

    Stateful layers start from zero, so that equal feeds give equal results.
    """
    with ExitStack() as stack:
        stack.enter_context(keras.StatelessScope(state_mapping=values))
        for layer in model._flatten_layers():
            if getattr(layer, "stateful", False) and hasattr(layer, "reset_state"):
                layer.reset_state()
            if values and isinstance(layer, keras.layers.Normalization):
                _settle(layer, values, stack)
        yield


def changed_values(model: Any, values: Values, change: Change) -> Values:
    """The model's floating-point weights after the change, over the values that it holds already."""
    held = {id(variable): value for variable, value in values}
    floats = [v for v in model.weights if "float" in keras.backend.standardize_dtype(v.dtype)]
    # the innermost layer's name: what holds it comes first
    names = {id(weight): one.name for one in live_layers(model) for weight in one.layer.weights}
    return tuple((v, change(names.get(id(v), ""), as_array(held.get(id(v), v.value)))) for v in floats)


def _settle(layer: Any, values: Values, stack: ExitStack) -> None:
    """A Normalization computes with constants that were made from its weights."""
    if layer.input_mean is not None or not layer.built:
        return
    held = {id(variable): value for variable, value in values}
    for name in ("mean", "variance"):
        variable = getattr(layer, f"adapt_{name}")
        if id(variable) in held:
            value = keras.ops.reshape(held[id(variable)], layer._broadcast_shape)
            constant = keras.ops.cast(value, layer.compute_dtype)
            stack.enter_context(replaced(layer, name, constant))
