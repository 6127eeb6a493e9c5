"""The inputs of a Keras model: names, shapes, dtypes, and the vocabulary that an Embedding reads."""

from collections.abc import Iterator
from typing import Any

import keras

from weightbridge.errors import RunError
from weightbridge.formats.running import InputSpec


def input_specs(model: Any, where: str) -> tuple[InputSpec, ...]:
    """RunError for a model that has never been built: nobody knows what it takes."""
    if getattr(model, "inputs", None):
        return tuple(_spec(model, tensor) for tensor in model.inputs)
    shape = _built_shape(model)
    if shape is None:
        raise RunError(
            "the model has no inputs: it was never built",
            where=where,
            fix="Call it once on data, or build(input_shape) it",
        )
    first = next(iter(_embeddings(model)), None)
    return (InputSpec("inputs", (None, *shape[1:]), "int32" if first else model.compute_dtype, first),)


def _spec(model: Any, tensor: Any) -> InputSpec:
    """Named after the input layer: the tensor's own name is another in every copy of the model."""
    name = tensor._keras_history.operation.name
    return InputSpec(
        name, tuple(tensor.shape), keras.backend.standardize_dtype(tensor.dtype), _vocabulary(model, tensor)
    )


def feed(model: Any, arrays: list[Any]) -> Any:
    """The arrays, in the order of `input_specs`, in the structure that the model is called with."""
    structure = getattr(model, "_inputs_struct", None)
    if structure is None:
        return arrays[0]
    return keras.tree.pack_sequence_as(structure, arrays)


def _built_shape(model: Any) -> tuple[int | None, ...] | None:
    config = model.get_build_config() if model.built else None
    shape = (config or {}).get("input_shape")
    is_single = isinstance(shape, list | tuple) and all(n is None or isinstance(n, int) for n in shape)
    return tuple(shape) if is_single and shape else None


def _vocabulary(model: Any, tensor: Any) -> int | None:
    """The smallest vocabulary among the embeddings that read this input, through nested models."""
    found = [size for operation, index in _consumers(model, tensor) for size in _read_by(operation, index)]
    return min(found, default=None)


def _consumers(model: Any, tensor: Any) -> Iterator[tuple[Any, int]]:
    """The operations that take the tensor, and at which place among their inputs."""
    graph = getattr(model, "_functional", None) or model  # a Sequential keeps its graph inside
    for operation in getattr(graph, "operations", ()):
        for node in operation._inbound_nodes:
            yield from ((operation, i) for i, one in enumerate(node.input_tensors) if one is tensor)


def _read_by(operation: Any, index: int) -> Iterator[int]:
    if isinstance(operation, keras.layers.Embedding):
        yield operation.input_dim
    elif getattr(operation, "inputs", None) and index < len(operation.inputs):
        inner = _vocabulary(operation, operation.inputs[index])
        yield from () if inner is None else (inner,)
    elif isinstance(operation, keras.layers.Layer) and not isinstance(operation, keras.layers.InputLayer):
        yield from _embeddings(operation)
    elif not isinstance(operation, keras.layers.Layer):
        yield from _after(operation)


def _after(operation: Any) -> Iterator[int]:
    """Casts and the like pass integers on."""
    if type(operation).__name__ in ("Cast", "Identity"):
        for node in operation._outbound_nodes:
            consumer = node.operation
            yield from _read_by(consumer, 0)


def _embeddings(layer: Any) -> Iterator[int]:
    """The first embedding held by a layer of unknown class."""
    held = (
        one for one in layer._flatten_layers(include_self=False) if isinstance(one, keras.layers.Embedding)
    )
    first = next(held, None)
    yield from () if first is None else (first.input_dim,)
