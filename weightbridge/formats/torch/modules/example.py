"""What a module is called with: the example that came with it, or one of the shapes that were given."""

from collections.abc import Iterator, Mapping, Sequence
from inspect import Parameter, signature
from itertools import product
from typing import Any

import numpy as np
import torch

from weightbridge.errors import RunError, UsageError
from weightbridge.formats.torch.modules.call import Example, called

Shapes = Sequence[Sequence[int]]
HOW = "return (module, example_inputs) from the callable, or give --input-shape 1,3,32,32"
POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
MOST_TRIED = 4  # inputs whose dtypes are tried one by one
BELOW = 2  # integers may be indices of any table: 0 and 1 are in nearly all


def example_of(module: Any, given: Any, shapes: Shapes, where: str) -> Example:
    """Raises UsageError where there is none, where both are given, or where the module does not take it."""
    if (given is None) == (not shapes):
        what = "an example and --input-shape are both given" if shapes else "nothing says what its inputs are"
        raise UsageError(what, where=where, fix=HOW if not shapes else "leave out one of them")
    if shapes:
        return _of_shapes(module, shapes, where)
    if isinstance(given, Mapping):
        values = tuple(_tensor(value, where) for value in given.values())
        return Example(tuple(map(str, given)), values, by_keyword=True)
    parts = given if isinstance(given, tuple | list) else (given,)
    values = tuple(_tensor(value, where) for value in parts)
    return Example(_names(module, len(values), where), values)


def _tensor(value: Any, where: str) -> Any:
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return value.float() if value.is_floating_point() else value
    fix = "give tensors: one, a tuple of them, or a dict by the names of forward's parameters"
    raise UsageError(f"an example input is {type(value).__name__}, expected a tensor", where=where, fix=fix)


def _names(module: Any, count: int, where: str) -> tuple[str, ...]:
    """Those of forward's parameters, in order."""
    parameters = list(signature(module.forward).parameters.values())
    names = [parameter.name for parameter in parameters if parameter.kind in POSITIONAL]
    if any(parameter.kind == Parameter.VAR_POSITIONAL for parameter in parameters):
        names += [f"input_{place}" for place in range(len(names), count)]
    if len(names) < count:
        message = f"forward takes {len(names)} inputs ({', '.join(names)}), {count} are given"
        raise UsageError(message, where=where, fix="give as many as it takes")
    return tuple(names[:count])


def _of_shapes(module: Any, shapes: Shapes, where: str) -> Example:
    """Floats where the module takes them, else integers: it is called to find out."""
    names = _names(module, len(shapes), where)
    refused = ""
    for kinds in _kinds(len(shapes)):
        example = Example(names, tuple(map(_drawn, shapes, kinds)))
        try:
            called(module, example)
            return example
        except RunError as error:
            refused = refused or error.message
    given = " and ".join(",".join(map(str, shape)) for shape in shapes)
    raise UsageError(f"it does not run on inputs of {given}: {refused}", where=where, fix=HOW)


def _kinds(count: int) -> Iterator[tuple[str, ...]]:
    """Which inputs are floats, which integers: all floats first."""
    if count > MOST_TRIED:
        return iter((("float",) * count, ("int",) * count))
    return product(("float", "int"), repeat=count)


def _drawn(shape: Sequence[int], kind: str) -> Any:
    generator = torch.Generator().manual_seed(0)
    if kind == "int":
        return torch.randint(0, BELOW, tuple(shape), generator=generator)
    return torch.randn(tuple(shape), generator=generator)
