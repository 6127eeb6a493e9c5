"""What differs between Keras's backends: no gradients, float64, compiled calls, arrays of results."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

import keras
import numpy as np

from weightbridge.model.tensors import Array, as_numbers


@contextmanager
def inference(dtype: str) -> Iterator[None]:
    """Nothing is recorded for gradients; JAX computes in float64 only where it is told to."""
    with ExitStack() as stack:
        if keras.backend.backend() == "torch":
            stack.enter_context(import_module("torch").no_grad())
        if keras.backend.backend() == "jax" and dtype == "float64":
            stack.enter_context(import_module("jax").enable_x64(True))
        yield


def as_array(tensor: Any) -> Array:
    """A result as an array of numbers."""
    if keras.backend.backend() == "torch" and hasattr(tensor, "detach"):
        tensor = keras.ops.convert_to_numpy(tensor)
    return as_numbers(np.asarray(tensor))


def as_tensor(array: Array) -> Any:
    """An input as the backend takes it; text only TensorFlow does."""
    if array.dtype.kind in "OSU":
        return import_module("tensorflow").constant(array)
    return keras.ops.convert_to_tensor(array)


def compiled(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """The function traced once for each shape of its arguments; None where the backend runs it as it is."""
    match keras.backend.backend():
        case "tensorflow":
            traced: Callable[..., Any] = import_module("tensorflow").function(function)
            return traced
        case "jax":
            jitted: Callable[..., Any] = import_module("jax").jit(function)
            return jitted
        case _:
            return None


def predicting(
    function: Callable[..., Any], values: Sequence[Any], shapes: Sequence[tuple[Sequence[int | None], Any]]
) -> Callable[..., Any]:
    """The function of variables' values and inputs, traced for free lengths of any size."""
    tensorflow = import_module("tensorflow")
    held = [tensorflow.TensorSpec(value.shape, value.dtype) for value in values]
    fed = [tensorflow.TensorSpec(shape, dtype) for shape, dtype in shapes]
    traced: Callable[..., Any] = tensorflow.function(function, input_signature=[held, fed])
    return traced


def is_concrete(tensor: Any) -> bool:
    """Inside a traced loop, tensors are symbols without values."""
    if tensor is None or isinstance(tensor, np.ndarray):
        return tensor is not None
    if keras.backend.backend() == "jax":
        return not isinstance(tensor, import_module("jax").core.Tracer)
    return hasattr(tensor, "numpy") or not hasattr(tensor, "graph")


def is_of_graph(tensor: Any, other: Any) -> bool:
    """Whether both belong to one traced function: what a loop's body holds cannot be given back by it."""
    if keras.backend.backend() == "jax":
        return getattr(tensor, "_trace", None) is getattr(other, "_trace", None)
    return getattr(tensor, "graph", None) is getattr(other, "graph", None)
