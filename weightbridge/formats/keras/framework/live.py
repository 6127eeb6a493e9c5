"""Live Keras models: the layer graph of a model in memory, by the names that a saved file would give."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from weightbridge.errors import Unsupported, UsageError
from weightbridge.formats.code import call
from weightbridge.formats.keras.architecture.config import ConfigLayer, parse_model
from weightbridge.formats.keras.framework.assign import (
    assign,
    restored_on_failure,
    save,
    set_trainable,
    shares_weights,
)
from weightbridge.formats.keras.framework.storage import Storage, storage_of
from weightbridge.formats.keras.model import graph_of_model
from weightbridge.formats.keras.variables.quantised import with_effective
from weightbridge.formats.keras.variables.tree import VariableStore, excluded
from weightbridge.formats.keras.variables.vocabularies import with_vocabularies
from weightbridge.formats.keras.weights_h5 import graph_of_variables
from weightbridge.formats.torch.modules.kinds import has_module
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Array, Tensor

__all__ = [
    "as_model",
    "assign",
    "load_callable",
    "read",
    "restored_on_failure",
    "save",
    "set_trainable",
    "shares_weights",
]

FORMAT = "python"
OF_TORCH = "weightbridge convert py:module:callable model.keras makes a Keras model of it: give that"


def load_callable(spec: str, arguments: Mapping[str, Any]) -> keras.Model:
    """The model that the callable returns. UsageError where that is none; otherwise raises as `call` does."""
    return as_model(call(spec, arguments), spec)


def as_model(model: Any, spec: str) -> keras.Model:
    if not isinstance(model, keras.Model):
        fix = OF_TORCH if has_module(model) else "Return the built model"
        raise UsageError(f"returned {type(model).__name__}, expected keras.Model", where=spec, fix=fix)
    return model


def read(model: Any, name: str = "") -> LayerGraph:
    """The graph of a live model: its config's layers and edges, tensors that read its variables when loaded.

    Names and keys are those of the same model saved as `.keras`. A subclassed model has no data flow to read.
    name: what messages call it.
    Raises UsageError for what is no Keras model, Unsupported for one that was never built.
    """
    if not isinstance(model, keras.Model):
        raise UsageError(
            f"expected a path, py:module:callable or a keras.Model, got {type(model).__name__}",
            fix="Give one of these",
        )
    path, storage = Path(name or model.name), storage_of(model)
    if not storage.variables and not model.built:
        raise Unsupported(
            "the model was never built, so it has no weights",
            where=str(path),
            fix="Call it once on data, or build(input_shape) it",
        )
    graph = _graph(model, path, storage)
    layers = tuple(_live(layer, storage.variables) for layer in graph.layers)
    findings = tuple(f for f in graph.findings if f.code != "WB104")  # the code is here, and loaded
    left_out = tuple(sorted(excluded(storage.root, graph.layers), key=lambda e: e.name))
    return with_effective(replace(graph, layers=layers, excluded=left_out, findings=findings))


def _graph(model: Any, path: Path, storage: Storage) -> LayerGraph:
    """The graph by the model's config, else by its variables alone."""
    producer = f"keras {keras.__version__}"
    config = _config(model, str(path))
    if config is None:
        return graph_of_variables(path, storage.root, FORMAT, producer)
    store = VariableStore(storage.root)
    graph = graph_of_model(path, FORMAT, producer, config, lambda _: store, ())
    words = {name: storage.words[place] for name, place in store.places.items() if place in storage.words}
    return replace(graph, layers=with_vocabularies(graph.layers, words))


def _config(model: Any, where: str) -> ConfigLayer | None:
    """The model's config as a file would hold it; None for a subclassed model, whose config tells nothing of
    its layers.
    """
    try:
        config = parse_model(json.loads(json.dumps(keras.saving.serialize_keras_object(model))), where)
    except (
        NotImplementedError,
        TypeError,
        ValueError,
    ):  # custom layers without get_config, or with values that are no JSON
        return None
    return None if config.kind == "layer" else config


def _live(layer: Layer, variables: Mapping[str, Any]) -> Layer:
    return replace(layer, tensors=tuple(_tensor(tensor, variables[tensor.key]) for tensor in layer.tensors))


def _tensor(tensor: Tensor, variable: Any) -> Tensor:
    return replace(tensor, load=partial(_value, variable))


def _value(variable: Any) -> Array:
    return np.array(keras.ops.convert_to_numpy(variable))
