"""What is a torch module, told without importing torch."""

from typing import Any

MODULE = "torch.nn.modules.module.Module"


def is_module(value: Any) -> bool:
    """Whether this is a torch.nn.Module.

    By Keras's torch backend a Keras model is one too: it counts as Keras's.
    """
    classes = {f"{one.__module__}.{one.__qualname__}" for one in type(value).__mro__}
    return MODULE in classes and not any(name.startswith("keras.") for name in classes)


def has_module(value: Any) -> bool:
    """The same for what a callable may return: a module, or (module, example inputs)."""
    return is_module(value) or (isinstance(value, tuple) and len(value) == 2 and is_module(value[0]))
