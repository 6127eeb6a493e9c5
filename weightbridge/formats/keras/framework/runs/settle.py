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


def with_words_of(model: Any, clone: Any) -> None:
    """Gives the lookups of a clone the words of the model's, which no config holds once they were adapted."""
    lookups = keras.layers.StringLookup, keras.layers.IntegerLookup, keras.layers.TextVectorization
    pairs = zip(model._flatten_layers(), clone._flatten_layers(), strict=False)
    for layer, copy in pairs:
        if isinstance(layer, lookups) and type(layer) is type(copy):
            words = layer.get_vocabulary()
            if len(words) > len(copy.get_vocabulary()):
                copy.set_vocabulary(words)
