"""A module called on tensors: its outputs as one flat list, by names."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch

from weightbridge.errors import RunError

USUAL = "output"


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """Tensors by the names of the parameters that take them. by_keyword: they are given by name."""

    names: tuple[str, ...]
    values: tuple[Any, ...]
    by_keyword: bool = False


def called(module: Any, example: Example, values: Sequence[Any] | None = None) -> dict[str, Any]:
    """The output tensors by name, of these values or of the example's. Raises as `raw` does."""
    return named(raw(module, example, values), example.names)


def raw(module: Any, example: Example, values: Sequence[Any] | None = None) -> Any:
    """What the module returns. RunError where it does not take these, or gives no tensor."""
    values = example.values if values is None else values
    try:
        with torch.no_grad():
            given = passed(module, example, values)
    except Exception as error:  # the user's code may raise anything
        lines = str(error).strip().splitlines() or [""]
        raise RunError(f"the module fails: {type(error).__name__}: {lines[0][:300]}") from error
    if not named(given):
        raise RunError(f"the module returns {type(given).__name__} without a tensor in it")
    return given


def passed(function: Callable[..., Any], example: Example, values: Sequence[Any]) -> Any:
    """What a function returns that takes these as the module takes the example's."""
    if example.by_keyword:
        return function(**dict(zip(example.names, values, strict=True)))
    return function(*values)


def named(given: Any, taken: Sequence[str] = ()) -> dict[str, Any]:
    """a tensor -> `output`; a tuple -> `output_0`, `output_1`; a dict -> its keys.

    What is no tensor is left out: `left_out` says what. taken: names that no output gets.
    """
    found: dict[str, Any] = {}
    for path, value in _leaves(given):
        if isinstance(value, torch.Tensor):
            name = path or USUAL
            found[f"{name}_out" if name in taken else name] = value
    return found


def left_out(given: Any) -> tuple[str, ...]:
    """The outputs that are no tensors, and not nothing."""
    leaves = _leaves(given)
    return tuple(
        path or USUAL for path, value in leaves if value is not None and not isinstance(value, torch.Tensor)
    )


def _leaves(given: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    given = _of_fields(given)
    if isinstance(given, Mapping):
        for key, value in given.items():
            yield from _leaves(value, f"{path}_{key}" if path else str(key))
    elif isinstance(given, tuple | list):
        for place, value in enumerate(given):
            yield from _leaves(value, f"{path or USUAL}_{place}")
    else:
        yield path, given


def _of_fields(given: Any) -> Any:
    """A dataclass as a dict of its fields; all else as it is."""
    if not is_dataclass(given) or isinstance(given, Mapping | type):
        return given
    return {field.name: getattr(given, field.name) for field in fields(given)}
