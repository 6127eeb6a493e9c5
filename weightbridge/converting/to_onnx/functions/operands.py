"""What an operation is called with: values and constants, in their order."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from weightbridge.converting.to_onnx.call import Call
from weightbridge.converting.to_onnx.elements import as_floats
from weightbridge.converting.to_onnx.values import Value

Operand = Value | Any
SECOND = ("y", "x2", "b")  # what the second operand is called where it is a keyword
_MISSING = object()


def operands(call: Call) -> list[Operand]:
    """All of them: lists unfolded, and a second one that is a keyword behind the first."""
    arguments = call.settings.get("arguments")
    if arguments is None:
        found: list[Operand] = list(call.inputs)
    else:
        found = [_value(call, part) for argument in arguments for part in _parts(argument)]
        found += [value for value, keyword in zip(call.inputs, call.keywords, strict=True) if keyword]
    keywords: Mapping[str, Any] = call.settings.get("keywords", {})
    return [*found, *(keywords[name] for name in SECOND if name in keywords)]


def values_of(call: Call) -> list[Value]:
    """The operands where none of them is a constant."""
    found = operands(call)
    values = [operand for operand in found if isinstance(operand, Value)]
    if len(values) != len(found):
        raise call.refused("joins constants")
    return values


def told(call: Call) -> Mapping[str, Any]:
    """The layer's configuration, and the keywords that it was called with."""
    return {**call.config, **call.settings.get("keywords", {})}


def setting(call: Call, *names: str, default: Any = _MISSING) -> Any:
    """A setting of the operation, or the constant that it was called with."""
    given = told(call)
    known = [given[name] for name in names if name in given]
    constants = [c for c in call.settings.get("arguments", ())[1:] if not _is_fed(c)]
    if known or (constants and default is _MISSING):
        return (known or constants)[0]
    if default is _MISSING:
        raise call.refused(f"does not say its {names[0]}")
    return default


def axes_of(call: Call, default: Any = None) -> list[int]:
    """Keras's axes that the operation is along, from 0 on; all of them where it names none."""
    axis, rank = setting(call, "axis", default=default), call.first.rank
    return list(range(rank)) if axis is None else [int(one) % rank for one in np.atleast_1d(axis)]


def keeps_axes(call: Call) -> bool:
    return bool(setting(call, "keepdims", default=False))


def floats_of(call: Call) -> Value:
    """The first input as numbers with a point."""
    return call.first if "float" in call.first.dtype else as_floats(call.writer, call.first)


def _parts(argument: Any) -> tuple[Any, ...]:
    """The tensors of a list; a list of numbers is one constant."""
    is_list = isinstance(argument, tuple) and any(_is_fed(part) for part in argument)
    return argument if is_list else (argument,)


def _is_fed(argument: Any) -> bool:
    return isinstance(argument, Mapping) and argument.keys() == {"input"}


def _value(call: Call, argument: Any) -> Operand:
    return call.inputs[argument["input"]] if _is_fed(argument) else argument
