"""Where a Keras model's output saturates.

The layer or operation whose last step is a softmax or sigmoid, and what goes into it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from weightbridge.formats.keras.architecture.classes import CLASSES
from weightbridge.formats.running import Saturation
from weightbridge.model.tensors import Array
from weightbridge.model.vocabulary import ACTIVATED

View = Callable[[Array], Array]
ENDS_IN_ACTIVATION = ACTIVATED | {"Activation"}
SATURATIONS: dict[str, Saturation] = {
    "softmax": "softmax",
    "sigmoid": "sigmoid",
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
}
CUTS = frozenset({"GetItem", "Cropping1D", "Cropping2D", "Cropping3D"})


@dataclass(frozen=True, slots=True)
class FinalStep:
    """The operation that saturates, in its `activation` or as a whole. views: what moves numbers then."""

    operation: Any
    attribute: str
    saturation: Saturation
    views: tuple[View, ...] = ()

    def moved(self, logits: Array) -> Array:
        """What went into the step, at the places that the output has: a view that is wrong shows in it."""
        for view in self.views:
            logits = view(logits)
        return logits


def final_step(tensor: Any) -> FinalStep | None:
    """The saturating last step of a symbolic output, looked for inside nested models and before its views.

    None where there is none, or it runs twice.
    """
    views: list[View] = []
    is_whole, operation = True, _maker(tensor)
    while operation is not None and (view := _view(operation)) is not None:
        is_whole = is_whole and type(operation).__name__ not in CUTS
        views.insert(0, view)
        operation = _maker(operation._inbound_nodes[0].input_tensors[0])
    step = None if operation is None else _step(operation)
    if step is None or (step.saturation == "softmax" and not is_whole):
        return None  # some classes of a softmax say nothing of what all logits have in common
    return replace(step, views=tuple(views))


@contextmanager
def recorded(step: FinalStep, into: dict[str, Any], key: str) -> Iterator[None]:
    """While open, what goes into the step is put under `key`. The model computes what it always does."""
    original = getattr(step.operation, step.attribute)

    def recording(x: Any, *args: Any, **kwargs: Any) -> Any:
        into[key] = x
        return original(x, *args, **kwargs)

    with replaced(step.operation, step.attribute, recording):
        yield


@contextmanager
def replaced(thing: Any, attribute: str, value: Any) -> Iterator[None]:
    """An attribute of one object replaced for a while, past the tracking that Keras does on assignment."""
    had, before = attribute in vars(thing), vars(thing).get(attribute)
    object.__setattr__(thing, attribute, value)
    try:
        yield
    finally:
        if had:
            object.__setattr__(thing, attribute, before)
        else:
            object.__delattr__(thing, attribute)


def _maker(tensor: Any) -> Any | None:
    """The operation that gives a symbolic tensor; None for one that runs twice, or is not of Keras."""
    operation, _, index = tensor._keras_history
    while getattr(operation, "outputs", None) and hasattr(operation, "layers"):
        inner = operation.outputs[index if index < len(operation.outputs) else 0]
        if len(operation._inbound_nodes) > 1:
            return None
        operation, _, index = inner._keras_history
    is_known = len(operation._inbound_nodes) == 1 and type(operation).__module__.startswith("keras.")
    return operation if is_known else None


def _view(operation: Any) -> View | None:
    """What a layer does to an array, where that moves its numbers and changes none."""
    match type(operation).__name__:
        case "Reshape":
            return lambda array: array.reshape(len(array), *operation.target_shape)
        case "Permute":
            return lambda array: array.transpose(0, *operation.dims)
        case "Flatten" if operation.data_format == "channels_last":
            return lambda array: array.reshape(len(array), -1)
        case "GetItem":
            key = operation._inbound_nodes[0].arguments.args[1:2]
            return (lambda array: array[_index(key[0])]) if key and _is_plain(key[0]) else None
        case "Cropping1D" | "Cropping2D" | "Cropping3D" if _is_channels_last(operation):
            cropped = [slice(before, -after or None) for before, after in _pairs(operation.cropping)]
            return lambda array: array[(slice(None), *cropped)]
        case _:
            return None


def _index(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key


def _is_plain(key: Any) -> bool:
    """Whether it is made of numbers and slices, and of no tensors."""
    parts = key if isinstance(key, tuple | list) else (key,)
    numbers = [n for p in parts for n in ((p.start, p.stop, p.step) if isinstance(p, slice) else (p,))]
    return all(n is None or n is Ellipsis or isinstance(n, int) for n in numbers)


def _is_channels_last(operation: Any) -> bool:
    return getattr(operation, "data_format", "channels_last") == "channels_last"


def _pairs(cropping: Any) -> list[tuple[int, int]]:
    """Of each axis; Cropping1D has one pair alone."""
    return [cropping] if isinstance(cropping[0], int) else list(cropping)


def _step(operation: Any) -> FinalStep | None:
    class_name = type(operation).__name__
    if class_name in SATURATIONS:
        return FinalStep(operation, "call", SATURATIONS[class_name])
    entry = CLASSES.get(class_name)
    if entry is None or entry.op not in ENDS_IN_ACTIVATION or "activation" not in vars(operation):
        return None
    name = getattr(operation.activation, "__name__", "")
    return FinalStep(operation, "activation", SATURATIONS[name]) if name in SATURATIONS else None
