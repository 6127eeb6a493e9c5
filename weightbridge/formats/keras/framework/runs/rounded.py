"""A functional Keras model that rounds as a quantised file does: every layer's output to its steps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from weightbridge.errors import RunError
from weightbridge.formats.keras.framework.backends import as_array, as_tensor
from weightbridge.formats.running import Grid
from weightbridge.model.tensors import Array

CODES = 127  # steps on either side of zero


def rounded_outputs(model: Any, tensors: Sequence[Any], grids: Mapping[str, Grid], seed: int) -> list[Any]:
    """grids: by the name of a layer. Raises RunError for a model that is no graph of layers."""
    functional = model._functional if isinstance(model, keras.Sequential) else model
    if not hasattr(functional, "_run_through_graph"):
        raise RunError("only a model of layers can be rounded layer by layer")
    generator = np.random.default_rng(seed) if seed else None
    named = zip((tensor.name for tensor in functional.inputs), tensors, strict=True)
    fed = [_on(grids.get(name), value, generator) for name, value in named]

    def rounding(layer: Any) -> Callable[..., Any]:
        return _rounding(layer, grids.get(layer.name), generator)

    given = keras.tree.pack_sequence_as(functional._inputs_struct, fed)
    return list(keras.tree.flatten(functional._run_through_graph(given, rounding)))


def _rounding(layer: Any, grid: Grid | None, generator: Any) -> Callable[..., Any]:
    def call(*arguments: Any, **keywords: Any) -> Any:
        if getattr(layer, "_call_has_training_arg", False):
            keywords = {**keywords, "training": False}
        if grid is not None and not grid.step:
            arguments = (_on(grid, arguments[0], generator), *arguments[1:])
        made = layer(*arguments, **keywords)
        return _on(grid, made, generator) if grid is not None and grid.step else made

    return call


def _on(grid: Grid | None, value: Any, generator: Any) -> Any:
    if grid is None or isinstance(value, list | tuple | dict):
        return value
    array = np.asarray(as_array(value), np.float64)
    step = np.float64(grid.step) if grid.step else _own_step(array)
    moved = 0.0 if generator is None else generator.uniform(-0.5, 0.5, array.shape)
    places = np.rint(array / np.where(step, step, 1.0) + moved) * step
    kept = np.clip(places, grid.low, grid.high) if grid.step else places
    return as_tensor(kept.astype(keras.backend.standardize_dtype(value.dtype)))


def _own_step(array: Array) -> Array:
    """Of each item of the batch."""
    axes = tuple(range(1, array.ndim))
    return np.asarray(np.abs(array).max(axis=axes, keepdims=True) / CODES)
