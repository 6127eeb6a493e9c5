"""The inputs of a Keras model: names, shapes, dtypes, and the vocabulary that an Embedding reads."""

from collections.abc import Iterator, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any

import keras

from weightbridge.errors import RunError
from weightbridge.formats.running import InputSpec, Shape

MOST_WORDS = 1000


def input_specs(model: Any, where: str) -> tuple[InputSpec, ...]:
    """RunError for a model that has never been built: nobody knows what it takes."""
    if getattr(model, "inputs", None):
        return tuple(_spec(model, tensor) for tensor in model.inputs)
    shapes = _built_shapes(model)
    if not shapes:
        raise RunError(
            "the model has no inputs: it was never built",
            where=where,
            fix="Call it once on data, or build(input_shape) it",
        )
    if len(shapes) < _arguments(model):
        message = "the model is called with several arguments, whose shapes it does not keep"
        raise RunError(message, where=where, fix="Let its call take one list or dict of inputs")
    first, words = next(iter(_embeddings(model)), None), _words_of(model)
    dtype = "string" if words else "int32" if first else "float32"
    return tuple(InputSpec(name, (None, *s[1:]), dtype, first, words) for name, s in shapes.items())


def _spec(model: Any, tensor: Any) -> InputSpec:
    """Named after the input layer: the tensor's own name is another in every copy of the model."""
    name, dtype = tensor._keras_history.operation.name, keras.backend.standardize_dtype(tensor.dtype)
    words = _words_of(model) if dtype == "string" else _numbers_of(model, tensor)
    return InputSpec(name, tuple(tensor.shape), dtype, _vocabulary(model, tensor), words)


def called(model: Any, specs: Sequence[InputSpec], arrays: list[Any]) -> Any:
    """What the model gives for the arrays, in the order of `input_specs`, in inference mode."""
    if "shapes_dict" in _built_config(model) and not getattr(model, "inputs", None):
        named = {spec.name: array for spec, array in zip(specs, arrays, strict=True)}
        return model(**named, training=False)
    return model(_structured(model, specs, arrays), training=False)


def _structured(model: Any, specs: Sequence[InputSpec], arrays: list[Any]) -> Any:
    """The arrays in the structure of the model's one argument."""
    structure = getattr(model, "_inputs_struct", None)
    if structure is not None:
        return keras.tree.pack_sequence_as(structure, arrays)
    shape = _built_config(model).get("input_shape")
    if isinstance(shape, dict):
        return {spec.name: array for spec, array in zip(specs, arrays, strict=True)}
    return arrays if _is_several(shape) else arrays[0]


def _built_shapes(model: Any) -> dict[str, Shape]:
    """The shapes that a subclassed model was built with, by the keys or places of what it is called with."""
    shape = _built_config(model).get("input_shape", _of_arguments(model))
    if isinstance(shape, dict):
        return {name: tuple(one) for name, one in shape.items() if _is_shape(one)}
    if not isinstance(shape, list | tuple):
        return {}
    if _is_several(shape):
        return {f"inputs_{i}": tuple(one) for i, one in enumerate(shape)}
    return {"inputs": tuple(shape)} if _is_shape(shape) else {}


def _arguments(model: Any) -> int:
    """How many arguments the model's `call` cannot do without."""
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    given = signature(model.call).parameters.values()
    return sum(one.kind in kinds and one.default is Parameter.empty for one in given)


def _of_arguments(model: Any) -> dict[str, Any]:
    """Of a model that is called with several arguments, whose shapes Keras keeps as `x_shape`, `y_shape`."""
    shapes = _built_config(model).get("shapes_dict") or {}
    return {name.removesuffix("_shape"): shape for name, shape in shapes.items()}


def _built_config(model: Any) -> Mapping[str, Any]:
    return (model.get_build_config() if model.built else None) or {}


def _is_shape(shape: Any) -> bool:
    is_list = isinstance(shape, list | tuple) and bool(shape)
    return is_list and all(n is None or isinstance(n, int) for n in shape)


def _is_several(shape: Any) -> bool:
    return isinstance(shape, list | tuple) and bool(shape) and all(map(_is_shape, shape))


def _words_of(model: Any) -> tuple[str, ...]:
    """The words that the model's lookups know, without their marks for what is missing or unknown."""
    looking = (keras.layers.StringLookup, keras.layers.TextVectorization)
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, looking)]
    words = dict.fromkeys(str(word) for layer in layers for word in layer.get_vocabulary())
    return tuple(word for word in words if word and word != "[UNK]")[:MOST_WORDS]


def _numbers_of(model: Any, tensor: Any) -> tuple[str, ...]:
    """The numbers that a lookup of integers knows which reads this input."""
    readers = (operation for operation, _ in _consumers(model, tensor))
    lookups = [reader for reader in readers if isinstance(reader, keras.layers.IntegerLookup)]
    numbers = dict.fromkeys(int(n) for lookup in lookups for n in lookup.get_vocabulary())
    return tuple(str(number) for number in numbers if number >= 0)[:MOST_WORDS]


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
