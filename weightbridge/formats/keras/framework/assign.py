"""Live Keras models changed: weights set all or nothing, layers frozen, models saved by suffix."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from weightbridge.errors import OutputError, PlanError, UsageError
from weightbridge.formats.keras.framework.runs.settle import settle
from weightbridge.formats.keras.framework.storage import storage_of
from weightbridge.formats.keras.framework.walk import live_layers
from weightbridge.model.tensors import Array, Tensor

SUFFIXES = (".weights.h5", ".keras", ".h5", ".hdf5")


def assign(
    model: Any, values: Iterable[tuple[Tensor, Array]], variables: Mapping[str, Any] | None = None
) -> int:
    """Set the variables of a live model, whose graph the tensors are from; returns how many were set.

    All or nothing: whatever is raised on the way, an interrupt included, every variable has its old value
    when this returns. A value
    of another shape or dtype than its variable's is a PlanError. variables: those of `storage_of`, where they
    are known.
    """
    variables = storage_of(model).variables if variables is None else variables
    count = 0
    with restored_on_failure(model) as keep:
        for tensor, value in values:
            _checked(variables.get(tensor.key), tensor, value).assign(value)
            count += 1
        settle(model)
        keep()
    return count


@contextmanager
def restored_on_failure(model: Any) -> Iterator[Callable[[], None]]:
    """Every weight has its old value again, bit by bit, when this ends, unless the function that it gives was
    called.
    """
    before = [(variable, np.array(keras.ops.convert_to_numpy(variable))) for variable in model.variables]
    kept: list[bool] = []
    try:
        yield partial(kept.append, True)
    finally:
        if not kept:
            _restore(model, before)


def _restore(model: Any, before: Iterable[tuple[Any, Array]]) -> None:
    """An interrupt on the way comes through when all is back, not before."""
    try:
        for variable, value in before:
            variable.assign(value)
        settle(model)
    except KeyboardInterrupt:
        _restore(model, before)
        raise


def shares_weights(one: Any, other: Any) -> bool:
    """Whether two live models have a variable in common, so that setting one changes the other."""
    return not {id(v) for v in one.variables}.isdisjoint(id(v) for v in other.variables)


def _checked(variable: Any, tensor: Tensor, value: Array) -> Any:
    if variable is not None and not hasattr(variable, "assign"):
        raise PlanError(
            "the value is merged of several variables (LoRA), and cannot be set as one",
            where=tensor.name,
            fix="Transfer into the model before enable_lora is called",
        )
    if variable is None:
        raise PlanError(
            "the model has no such variable",
            where=tensor.name,
            fix="Read the model's graph again: it was rebuilt since",
        )
    expected = tuple(variable.shape), keras.backend.standardize_dtype(variable.dtype)
    got = value.shape, value.dtype.name
    if expected != got:
        raise PlanError(
            f"a value of shape {got[0]} {got[1]}, expected {expected[0]} {expected[1]}",
            where=tensor.name,
            fix="Make the plan again",
        )
    return variable


def set_trainable(model: Any, frozen: Collection[str]) -> None:
    """Make every layer trainable but the named ones (as the graph names them)."""
    layers = {one.name: one.layer for one in live_layers(model)}
    for layer in (model, *layers.values()):  # one by one: a Sequential does not tell its layers
        layer.trainable = True
    for name in frozen:
        if name not in layers:
            raise PlanError(f"the model has no layer {name!r}", fix="Make the plan for this model")
        layers[name].trainable = False


def save(model: Any, output: Path) -> None:
    """Save by suffix: `.keras` and `.h5` the whole model, `.weights.h5` its weights.

    OutputError where that fails.
    """
    if not output.name.endswith(SUFFIXES):
        raise UsageError(
            f"no writer for a Keras model in {output.name!r}",
            where=str(output),
            fix=f"Use one of {', '.join(SUFFIXES)}",
        )
    try:
        if output.name.endswith(".weights.h5"):
            model.save_weights(output)
        else:
            model.save(output)
    except OSError as error:
        raise OutputError(
            f"cannot be written: {error.strerror or error}",
            where=str(output),
            fix="Free some space, or choose another folder",
        ) from error
    except Exception as error:  # a layer's get_config may raise anything
        raise OutputError(
            f"Keras cannot save this model: {type(error).__name__}: {str(error)[:300]}", where=str(output)
        ) from error
