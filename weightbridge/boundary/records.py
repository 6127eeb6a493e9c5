"""Frozen dataclasses that are made fast: a command starts with hundreds of them.

`dataclass(frozen=True)` of the standard library compiles six methods for each class, half a millisecond;
here one is compiled and the others are shared. What classes and their values can do is the same.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        plain: type | None = None,
        /,
        *,
        frozen: bool = False,
        slots: bool = False,
        eq: bool = True,
        repr: bool = True,
    ) -> Any:
        """As dataclasses.dataclass, which makes those that are not frozen."""
        if not frozen:
            return dataclasses.dataclass(plain, slots=slots, eq=eq, repr=repr)

        def made(plain: type) -> type:
            methods = FROZEN | (WITH_SLOTS if slots else {}) | ({"__repr__": _repr} if repr else {})
            missing = {name: method for name, method in methods.items() if name not in vars(plain)}
            if plain.__doc__ is None:  # of which the standard library would make one by reading a signature
                plain.__doc__ = f"{plain.__name__}({', '.join(plain.__annotations__)})"
            cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(plain)
            if eq:
                missing |= _comparing(cls)
            for name, method in {"__init__": _initialiser(cls), **missing}.items():
                setattr(cls, name, method)
            return cls

        return made


def _initialiser(cls: type) -> Callable[..., None]:
    names: dict[str, Any] = {"_set": object.__setattr__, "_missing": MISSING}
    parameters, lines = ["self"], []
    for field in fields(cls):
        value = _value(field, names)
        if field.init:
            parameters.append(_parameter(field))
        if value:
            lines.append(f"_set(self, {field.name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n ".join(lines) or "pass"
    exec(f"def __init__({', '.join(parameters)}):\n {body}", names)  # of names in our own sources
    made: Callable[..., None] = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = {field.name: field.type for field in fields(cls) if field.init} | {"return": None}
    return made


def _parameter(field: "Field[Any]") -> str:
    if field.default is not MISSING:
        return f"{field.name}=_default_{field.name}"
    return field.name if field.default_factory is MISSING else f"{field.name}=_missing"


def _value(field: "Field[Any]", names: dict[str, Any]) -> str:
    """What a field is set to, "" for one that __post_init__ sets; names: what the text may call."""
    name, default = field.name, f"_default_{field.name}"
    if field.default_factory is not MISSING:
        names[default] = field.default_factory
        return f"{default}() if {name} is _missing else {name}" if field.init else f"{default}()"
    if field.default is not MISSING:
        names[default] = field.default
        return name if field.init else default
    return name if field.init else ""


def _comparing(cls: type) -> dict[str, Any]:
    """Equality and hash by the values of the fields that are compared, unless the class has its own."""
    names = [field.name for field in fields(cls) if field.compare]
    several = attrgetter(*names) if len(names) > 1 else None

    def values(one: Any) -> tuple[Any, ...]:
        return tuple(getattr(one, name) for name in names)

    compared: Callable[[Any], Any] = several or values

    def equal(self: Any, other: object) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(compared(self))

    own = vars(cls)
    made: dict[str, Any] = {} if "__eq__" in own else {"__eq__": equal}
    return made if own.get("__hash__") else {**made, "__hash__": hashed}


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_set(self: Any, name: str, value: Any) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


FROZEN: dict[str, Any] = {"__setattr__": _refuse_set, "__delattr__": _refuse_delete}
WITH_SLOTS: dict[str, Any] = {"__getstate__": _state, "__setstate__": _set_state}
