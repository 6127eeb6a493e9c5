"""Carrying out a plan's steps, one target tensor at a time, with what only the values can tell.

That is NaN, overflow and the energy that is kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from einops import EinopsError

from weightbridge import transforms
from weightbridge.boundary.options import Progress, silent
from weightbridge.errors import Corrupt
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor, dtype_of
from weightbridge.plan import FITTED, Plan, Step, is_written

PIECE = 1 << 16  # values
Fitted = Mapping[str, Array]  # by target tensor


@dataclass(slots=True)
class Ledger:
    """What carrying out a plan found; filled while the values go by, so that no value has to be kept."""

    findings: list[Finding] = field(default_factory=list)
    steps: dict[str, Step] = field(default_factory=dict)

    def applied_to(self, plan: Plan) -> Plan:
        """The plan with the energy that each adapter kept."""
        return replace(plan, steps=tuple(self.steps.get(s.target, s) for s in plan.steps))


def values(
    plan: Plan,
    source: LayerGraph,
    target: LayerGraph,
    ledger: Ledger,
    progress: Progress = silent,
    fitted: Fitted | None = None,
) -> Iterator[tuple[Tensor, Array]]:
    """(target tensor, value in its shape and dtype) for every step that writes, in the plan's order.

    One value is in memory at a time. fitted: the values of fitted steps; without it these are left out.
    """
    given = source.tensor_by_name
    wanted = target.tensor_by_name
    done, total = 0, sum(step.size for step in plan.steps)
    for step in plan.steps:
        if step.transform == FITTED:
            if fitted is not None:
                yield wanted[step.target], _cast(fitted[step.target], wanted[step.target], step, ledger)
        elif is_written(step):
            yield wanted[step.target], _value(step, given, wanted[step.target], ledger)
        done += step.size
        progress("moving tensors", done, total)


def _value(step: Step, given: Mapping[str, Tensor], target: Tensor, ledger: Ledger) -> Array:
    arrays = [_loaded(given[name], step, ledger) for name in step.sources]
    try:
        if is_adapter(step):
            # modules that a copy can do without
            from weightbridge.adapters.apply.arithmetic import apply, with_energy

            value, kept = apply(step, arrays)
            if np.isfinite(kept):  # NaN among the source's values has been said already
                ledger.steps[step.target] = with_energy(step, kept)
        else:
            value = transforms.apply(step.transform, step.parameters, arrays)
    except (ValueError, IndexError, KeyError, EinopsError) as error:
        raise Corrupt(
            f"the step {step.transform!r} cannot be carried out: {error}",
            where=step.target,
            fix="mend the plan",
        ) from error
    if value.shape != target.shape:
        raise Corrupt(
            f"the step {step.transform!r} gives shape {value.shape}, expected {target.shape}",
            where=step.target,
            fix="mend the plan",
        )
    return _cast(value, target, step, ledger)


def is_adapter(step: Step) -> bool:
    """Whether the step's transform is an adapter's, not an exact one."""
    return step.kind == "adapt" or not (
        not step.transform or "->" in step.transform or step.transform in transforms.TRANSFORMS
    )


def non_finite(graph: LayerGraph, side: Literal["source", "target"]) -> Iterator[Finding]:
    """WB106 for every tensor of a model that holds NaN or Inf; one at a time in memory."""
    for tensor in graph.tensors:
        message = _non_finite(tensor, tensor.load()) if tensor.is_float else ""
        if message:
            yield finding(
                "WB106",
                message,
                fix="train or save it again; nothing useful can be computed",
                **{side: tensor.name},
            )


def _loaded(tensor: Tensor, step: Step, ledger: Ledger) -> Array:
    array = tensor.load()
    message = _non_finite(tensor, array)
    if message:
        fix = "train or save the source again; nothing useful can be transferred"
        ledger.findings.append(finding("WB106", message, source=tensor.name, target=step.target, fix=fix))
    return array


def _non_finite(tensor: Tensor, array: Array) -> str:
    if not tensor.is_float or _is_finite(array):
        return ""
    return (
        f"{tensor.name}: {array.size - int(np.isfinite(array).sum())} of {array.size} values are NaN or Inf"
    )


def _is_finite(array: Array) -> bool:
    """By pieces that stay near the processor, without an array of answers as long as the array."""
    if not array.flags.c_contiguous:
        return bool(np.isfinite(array).all())
    flat = array.reshape(-1)
    return all(np.isfinite(flat[i : i + PIECE]).all() for i in range(0, flat.size, PIECE))


def _cast(value: Array, target: Tensor, step: Step, ledger: Ledger) -> Array:
    dtype = dtype_of(target.dtype)
    if value.dtype == dtype:
        return np.asarray(value, order="C")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        cast = np.asarray(value.astype(dtype), order="C")
    lost = _lost(value, cast)
    if lost:
        leave = f"{lost} of {value.size} values leave the range of {target.dtype}"
        message = f"{target.name}: {leave}, and are now infinite or zero"
        look = "look at these values: they are far from ordinary weights"
        fix = f"build the target in {value.dtype}, or {look}"
        ledger.findings.append(finding("WB307", message, target=target.name, fix=fix))
    return cast


def _lost(value: Array, cast: Array) -> int:
    """Values that became infinite, or zero though they were not."""
    overflowed = np.isfinite(value) & ~np.isfinite(cast)
    underflowed = (value != 0) & (cast == 0)
    return int((overflowed | underflowed).sum())
