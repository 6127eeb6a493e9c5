"""What a PyTorch pickle may hold, as inert descriptions: no tensor's bytes, no calls."""

from dataclasses import dataclass, field
from typing import Any

MOST_AXES = 32  # numpy's limit before version 2
MOST = 1 << 60  # elements; numpy refuses a larger shape even where it is empty


class Malformed(Exception):
    """Arguments that PyTorch never writes; the interpreter says where."""


@dataclass(frozen=True, slots=True)
class Name:
    """A function or class that the pickle names (`torch._utils._rebuild_tensor_v2`), never looked up."""

    text: str


@dataclass(slots=True, eq=False)
class Object:
    """Something that only code could build: the name of its class, and its stored state.

    is_foreign: of a class that PyTorch does not have. held: its arguments, and what is put into it.
    """

    kind: str
    state: Any = None
    is_foreign: bool = False
    held: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Storage:
    """A run of numbers in the file.

    dtype: numpy's name, `untyped` for bytes. start: the first element of a view.
    """

    key: str
    dtype: str
    elements: int
    start: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A view of a storage; offset and strides count elements of `dtype`.

    scale: what a quantised tensor has to be multiplied with, in words; "" for plain values.
    affine: its scale and zero point where they are two numbers.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    scale: str = ""
    affine: tuple[float, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class UnsupportedTensor:
    """A tensor that cannot be described as a view of a storage, and what it is instead."""

    what: str


def natural(value: Any) -> int:
    """The value itself, where it is a number of elements."""
    if type(value) is not int or not 0 <= value < MOST:
        raise Malformed("a size, an offset or a stride that is none")
    return value


def naturals(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or len(values) > MOST_AXES:
        raise Malformed(f"a shape that is none, or has more than {MOST_AXES} axes")
    return tuple(map(natural, values))
