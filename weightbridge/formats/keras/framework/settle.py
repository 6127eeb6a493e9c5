"""What Keras works out once from the weights it loads is worked out again when they are set otherwise."""

from typing import Any

import keras


def settle(model: Any) -> None:
    """A Normalization computes with constants made from its weights.

    Keras makes them when it loads a file, not in `set_weights`.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization) and layer.built:
            layer.finalize_state()
