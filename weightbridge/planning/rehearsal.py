"""Rehearsal of a plan that a person may have edited: what it cannot carry out is found from shapes, before
anything is written.

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
from weightbridge.checked import objects, whole_numbers
from weightbridge.model.axes import solve
from weightbridge.model.tensors import Array, Tensor, dtype_of
from weightbridge.plan import Plan, Step

WRITTEN = frozenset({"copy", "transform", "adapt"})
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
    "identity-kernel": (0,),
    "batchnorm-gamma": (2,),
    "gate-bias": (1, 2),
    **dict.fromkeys(
        ("gates", "select", "square", "flip", "split", "slice", "map-axes", "resize-positions"), (1,)
    ),
}


def rehearse(plan: Plan, given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Iterator[str]:
    """One sentence for each step that cannot be carried out, or claims more than it can hold. All names must
    be known already.
    """
    for step in plan.steps:
        if step.kind in WRITTEN:
            problem = _problem(step, [given[name] for name in step.sources], wanted[step.target])
            if problem:
                yield f"{step.target}: {problem}"


def _problem(step: Step, sources: Sequence[Tensor], target: Tensor) -> str:
    name = step.transform
    count = (1,) if "->" in name else SOURCES.get(name)
    if count is not None and len(sources) not in count:
        return (
            f"{name or 'a copy'!r} reads {' or '.join(map(str, count))} tensors, and {len(sources)} are given"
        )
    if step.contract == "bitwise" and not transforms.is_bitwise(name, step.parameters):
        return f"the contract 'bitwise' is claimed, but {name!r} computes new values; say 'preserving' or 'lossy'"
    if "->" in name or not name:
        return _misfit(step, sources[0].shape, target.shape)
    too_large = _too_large(step.parameters, max(ROOM, target.size, *(tensor.size for tensor in sources)))
    return too_large or _tried(step, sources)


def _misfit(step: Step, given: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    if not step.transform:
        return "" if given == wanted else f"{step.sources[0]} has the shape {given}, expected {wanted}"
    lengths = {name: size for name, size in step.parameters.items() if isinstance(size, int)}
    fits = solve(step.transform, given, wanted, lengths) is not None
    return (
        ""
        if fits
        else f"{step.transform!r} does not turn the shape {given} of {step.sources[0]} into {wanted}"
    )


def _too_large(parameters: Mapping[str, Any], most: int) -> str:
    """A size that is no number, or would fill the memory: alone, or as what an axis rule makes of several."""
    found = [str(n) for n in whole_numbers(parameters) if abs(n) > most]
    for one in objects(parameters):
        keys = (*SIZES, *REPEATS) if "rule" in one else SIZES
        found += [f"{key} {one[key]!r}" for key in keys if key in one and not _is_whole(one[key])]
    found = found or [
        f"{one['from']} to {one['to']}" for one in objects(parameters) if not _is_small(one, most)
    ]
    return f"the parameters hold {found[0][:60]}, which is no size of these tensors" if found else ""


def _is_whole(value: Any) -> bool:
    return (
        all(map(_is_whole, value))
        if isinstance(value, list | tuple)
        else isinstance(value, int) and not isinstance(value, bool)
    )


def _is_small(one: Mapping[str, Any], most: int) -> bool:
    """Whether what an axis rule makes stays within the tensors; anything else is."""
    if not {"from", "to"} <= one.keys():
        return True
    repeats = prod(sum(whole_numbers(one[key])) for key in REPEATS if key in one)
    sizes = [sum(whole_numbers(one[end])) * repeats for end in ("from", "to")]
    is_matrix = one.get("rule") not in ("take", "share")
    return max(sizes) <= most and (not is_matrix or prod(sizes) <= MATRIX)


def _tried(step: Step, sources: Sequence[Tensor]) -> str:
    arrays = [np.broadcast_to(np.ones((), dtype_of(tensor.dtype)), tensor.shape) for tensor in sources]
    try:
        with np.errstate(all="ignore"):
            shape = _carried_out(step, arrays).shape
    except REFUSED as error:
        reason = (
            f"{error} is missing"
            if isinstance(error, KeyError)
            else str(error).partition("\n")[0] or type(error).__name__
        )
        return f"{step.transform!r} cannot be carried out: {reason}"
    return "" if shape == step.shape else f"{step.transform!r} gives the shape {shape}, expected {step.shape}"


def _carried_out(step: Step, arrays: Sequence[Array]) -> Array:
    if step.transform in ADAPTERS:
        return apply(step, arrays)[0]
    return transforms.apply(step.transform, step.parameters, arrays)
