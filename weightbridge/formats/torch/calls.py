"""Calls of a pickle: of what PyTorch has as descriptions, of foreign classes as objects.

Others are refused.
"""

from typing import Any

from weightbridge.formats.torch.globals import called, makes_an_object
from weightbridge.formats.torch.machine import PAIR, Machine, spend
from weightbridge.formats.torch.values import Name, Object


def call(machine: Machine, function: Any, arguments: Any) -> None:
    spend(machine, PAIR)
    if not isinstance(function, Name):
        _refuse_call(machine, "the result of another call")
    elif function.text in machine.refused:
        _refuse_call(machine, function.text)
    elif function.text in machine.foreign:
        _call_foreign(machine, function.text, arguments)
    else:
        machine.stack.append(_described(machine, called(function, arguments), arguments))


def _call_foreign(machine: Machine, name: str, arguments: Any) -> None:
    """An object of a foreign class is described; a function would have to be run."""
    if makes_an_object(name):
        machine.stack.append(Object(name, is_foreign=True, held=[arguments]))
    else:
        _refuse_call(machine, name)


def _described(machine: Machine, value: Any, arguments: Any) -> Any:
    """The value.

    An object that a known function makes of a foreign class is foreign (`copyreg`, `partial`).
    """
    if isinstance(value, Object):
        names = [argument.text for argument in arguments if isinstance(argument, Name)]
        value.is_foreign = any(name in machine.foreign for name in names)
    return value


def _refuse_call(machine: Machine, name: str) -> None:
    machine.refused.setdefault(name, machine.at)
    machine.called.add(name)
    machine.stack.append(Object("", is_foreign=True))
