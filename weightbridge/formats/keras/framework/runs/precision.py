"""A Keras model rebuilt in another precision: its config with other dtype policies, its weights cast."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from weightbridge.errors import RunError
from weightbridge.formats.keras.framework.backends import as_array, inference
from weightbridge.formats.keras.framework.runs.settle import settle, with_words_of
from weightbridge.formats.keras.framework.walk import live_layers
from weightbridge.formats.running import ULPS, Precision, coarsest


def rebuilt(model: Any, dtype: str, where: str) -> Any:
    """The same model with every float32 or mixed policy replaced. RunError where its config, or a layer, does
    not allow that.
    """
    try:
        with in_float(dtype), inference(dtype):
            config = cast_config(model.get_config(), dtype)
            clone = type(model).from_config(config)
            if not clone.built:
                clone.build_from_config(model.get_build_config())
            with_words_of(model, clone)
            for own, weight in zip(clone.weights, model.weights, strict=True):  # one at a time in memory
                own.assign(as_array(weight.value))
            settle(clone)
    except Exception as error:  # custom layers raise what they like
        raise RunError(
            f"the model cannot be rebuilt in {dtype}: {type(error).__name__}: {str(error)[:200]}", where=where
        ) from error
    return clone


def precision_of(model: Any) -> Precision:
    """The coarsest dtypes that any layer computes in, and that any weight is stored in."""
    layers = [layer for layer in model._flatten_layers() if layer is not model and layer.weights]
    weights = [keras.backend.standardize_dtype(weight.dtype) for weight in model.weights]
    compute = (layer.compute_dtype for layer in layers)
    return Precision(coarsest(compute), coarsest(weights))


def stored_dtypes(model: Any) -> dict[str, str]:
    """The coarsest dtype of each layer's own weights."""
    own = {id(weight): one.name for one in live_layers(model) for weight in one.layer.weights}
    dtypes: dict[str, list[str]] = {}
    for weight in model.weights:
        dtypes.setdefault(own.get(id(weight), ""), []).append(keras.backend.standardize_dtype(weight.dtype))
    return {name: coarsest(held) for name, held in dtypes.items()}


@contextmanager
def in_float(dtype: str) -> Iterator[None]:
    """Constants that layers make while they are built or run have this precision too."""
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def cast_config(value: Any, dtype: str) -> Any:
    """A config with every floating dtype, and every dtype policy, replaced."""
    if isinstance(value, dict):
        if value.get("class_name") in ("DTypePolicy", "FloatDTypePolicy", "Policy") and isinstance(
            value.get("config"), dict
        ):
            return {**value, "config": {**value["config"], "name": dtype}}
        return {key: _cast_entry(key, inner, dtype) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(cast_config(inner, dtype) for inner in value)
    return value


def _cast_entry(key: str, value: Any, dtype: str) -> Any:
    if key == "dtype" and isinstance(value, str):
        return dtype if value.removeprefix("mixed_") in ULPS else value
    return cast_config(value, dtype)
