"""Where a Keras model's output saturates.

The layer or operation whose last step is a softmax or sigmoid, and what goes into it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from weightbridge.formats.keras.architecture.classes import CLASSES
from weightbridge.formats.running import Saturation
from weightbridge.model.vocabulary import ACTIVATED

ENDS_IN_ACTIVATION = ACTIVATED | {"Activation"}
SATURATIONS: dict[str, Saturation] = {
    "softmax": "softmax",
    "sigmoid": "sigmoid",
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
}


@dataclass(frozen=True, slots=True)
class FinalStep:
    """The operation that gives an output, and whether its `activation` or the whole of it saturates."""

    operation: Any
    attribute: str
    saturation: Saturation


def final_step(tensor: Any) -> FinalStep | None:
    """The saturating last step of a symbolic output, looked for inside nested models.

    None where there is none, or it runs twice.
    """
    operation, _, index = tensor._keras_history
    while getattr(operation, "outputs", None) and hasattr(operation, "layers"):
        inner = operation.outputs[index if index < len(operation.outputs) else 0]
        if len(operation._inbound_nodes) > 1:
            return None
        operation, _, index = inner._keras_history
    if len(operation._inbound_nodes) != 1 or not type(operation).__module__.startswith("keras."):
        return None
    return _step(operation)


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


def _step(operation: Any) -> FinalStep | None:
    class_name = type(operation).__name__
    if class_name in SATURATIONS:
        return FinalStep(operation, "call", SATURATIONS[class_name])
    entry = CLASSES.get(class_name)
    if entry is None or entry.op not in ENDS_IN_ACTIVATION or "activation" not in vars(operation):
        return None
    name = getattr(operation.activation, "__name__", "")
    return FinalStep(operation, "activation", SATURATIONS[name]) if name in SATURATIONS else None
