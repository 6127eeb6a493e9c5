"""Rehearsal of a plan that a person may have edited: what cannot be carried out is found from shapes.

Axis patterns are solved; named transforms and adapters run on ones in place of the source's values, one step
at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from einops import EinopsError

from weightbridge import transforms
from weightbridge.adapters.apply.arithmetic import ADAPTERS, apply
from weightbridge.boundary.checked import objects, whole_numbers
from weightbridge.model.axes import solve
from weightbridge.model.tensors import Array, Tensor, dtype_of
from weightbridge.plan import FITTED, Plan, Step, is_written

ROOM = 1 << 16  # a number in a step's parameters may be this large whatever the tensors are
MATRIX = 1 << 26  # elements of a matrix that mixes an axis
SIZES = ("from", "to", "normal", "standard", "input", "shape")
REPEATS = ("outer", "inner")  # of an axis rule; elsewhere `inner` is a transform
REFUSED = (
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    RecursionError,
    EinopsError,
)
# How many sources each transform reads; what is not here checks that itself.
SOURCES: dict[str, tuple[int, ...]] = {
    "": (1,),
    "constant": (0,),
    "fill": (0,),
    "interpolation": (0,),
    "identity-kernel": (0,),
    "batchnorm-gamma": (1, 2),
    "batchnorm-variance": (1,),
    "separable-product": (2,),
    "gate-bias": (1, 2),
    **dict.fromkeys(
        ("gates", "rows", "select", "square", "flip", "split", "slice", "map-axes", "resize-positions"), (1,)
    ),
}


def rehearse(
    plan: Plan, source_tensors: Mapping[str, Tensor], target_tensors: Mapping[str, Tensor]
) -> Iterator[str]:
    """One sentence for each step that cannot be carried out, or claims more than it can hold.

    All names must be known already.
    """
    for step in plan.steps:
        if is_written(step) and step.transform != FITTED:
            sources = [source_tensors[name] for name in step.sources]
            problem = _problem(step, sources, target_tensors[step.target])
            if problem:
                yield f"{step.target}: {problem}"


def _problem(step: Step, sources: Sequence[Tensor], target: Tensor) -> str:
    name = step.transform
    is_pattern = "->" in name
    count = (1,) if is_pattern else SOURCES.get(name)
    if count is not None and len(sources) not in count:
        reads = " or ".join(map(str, count))
        return f"{name or 'a copy'!r} reads {reads} tensors, and {len(sources)} are given"
    if step.contract == "bitwise" and not transforms.is_bitwise(name, step.parameters):
        claim = f"the contract 'bitwise' is claimed, but {name!r} computes new values"
        return f"{claim}; say 'preserving' or 'lossy'"
    if is_pattern or not name:
        return _misfit(step, sources[0].shape, target.shape)
    most = max(ROOM, target.size, *(tensor.size for tensor in sources))
    return _too_large(step.parameters, most) or _tried(step, sources)


def _misfit(step: Step, source: tuple[int, ...], target: tuple[int, ...]) -> str:
    name = step.sources[0]
    if not step.transform:
        return "" if source == target else f"{name} has the shape {source}, expected {target}"
    lengths = {axis: size for axis, size in step.parameters.items() if isinstance(size, int)}
    if solve(step.transform, source, target, lengths) is not None:
        return ""
    return f"{step.transform!r} does not turn the shape {source} of {name} into {target}"


def _too_large(parameters: Mapping[str, Any], most: int) -> str:
    """A size that is no number, or would fill the memory: alone, or as what an axis rule makes of several."""
    tables = list(objects(parameters))
    odd = [str(n) for n in whole_numbers(parameters) if abs(n) > most]
    odd += [size for table in tables for size in _odd_sizes(table)]
    odd = odd or [f"{table['from']} to {table['to']}" for table in tables if not _is_small(table, most)]
    return f"the parameters hold {odd[0][:60]}, which is no size of these tensors" if odd else ""


def _odd_sizes(table: Mapping[str, Any]) -> list[str]:
    keys = (*SIZES, *REPEATS) if "rule" in table else SIZES
    return [f"{key} {table[key]!r}" for key in keys if key in table and not _is_whole(table[key])]


def _is_whole(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_whole, value))
    return isinstance(value, int) and not isinstance(value, bool)


def _is_small(table: Mapping[str, Any], most: int) -> bool:
    """Whether what an axis rule makes stays within the tensors; anything else is small."""
    if not {"from", "to"} <= table.keys():
        return True
    repeats = prod(sum(whole_numbers(table[key])) for key in REPEATS if key in table)
    sizes = [sum(whole_numbers(table[end])) * repeats for end in ("from", "to")]
    is_matrix = table.get("rule") not in ("take", "share")
    return max(sizes) <= most and (not is_matrix or prod(sizes) <= MATRIX)


def _tried(step: Step, sources: Sequence[Tensor]) -> str:
    """What running the step on ones says, without the values' memory."""
    arrays = [np.broadcast_to(np.ones((), dtype_of(tensor.dtype)), tensor.shape) for tensor in sources]
    try:
        with np.errstate(all="ignore"):
            shape = _carried_out(step, arrays).shape
    except REFUSED as error:
        return f"{step.transform!r} cannot be carried out: {_reason(error)}"
    return "" if shape == step.shape else f"{step.transform!r} gives the shape {shape}, expected {step.shape}"


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    first_line = str(error).partition("\n")[0]
    return first_line or type(error).__name__


def _carried_out(step: Step, arrays: Sequence[Array]) -> Array:
    if step.transform in ADAPTERS:
        return apply(step, arrays)[0]
    return transforms.apply(step.transform, step.parameters, arrays)
