"""Carrying out a plan's steps, one target tensor at a time, with what only the values can tell.

That is NaN, overflow and the energy that is kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import Literal

import numpy as np
from einops import EinopsError

from weightbridge import transforms
from weightbridge.boundary.options import Progress, silent
from weightbridge.boundary.records import dataclass
from weightbridge.errors import Corrupt
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.streamed import Pieces, Streamed, Value, as_stored, in_pieces, through, whole_of
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
    for tensor, value in streamed(plan, source, target, ledger, progress, fitted):
        yield tensor, whole_of(value)


def streamed(
    plan: Plan,
    source: LayerGraph,
    target: LayerGraph,
    ledger: Ledger,
    progress: Progress = silent,
    fitted: Fitted | None = None,
) -> Iterator[tuple[Tensor, Value]]:
    """The same for a file: large tensors that stay as they are come in pieces."""
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


def _value(step: Step, given: Mapping[str, Tensor], target: Tensor, ledger: Ledger) -> Value:
    moved = _moved(step, given, target, ledger)
    return _made(step, given, target, ledger) if moved is None else moved


def _moved(step: Step, given: Mapping[str, Tensor], target: Tensor, ledger: Ledger) -> Streamed | None:
    """What stays as it is, in pieces; None for what is computed, small, or cannot be had so."""
    source = given[step.sources[0]] if len(step.sources) == 1 else None
    if source is None or step.transform or step.kind == "adapt":
        return None
    if (source.shape, source.dtype) != (target.shape, target.dtype):
        return None
    value = in_pieces(source)
    return value and through(value, lambda pieces: _looked_through(pieces, source, step, ledger))


def _looked_through(pieces: Pieces, source: Tensor, step: Step, ledger: Ledger) -> Pieces:
    dtype, bad = dtype_of(source.dtype), 0
    for piece in pieces:
        bad += count_non_finite(source, np.frombuffer(piece, dtype))
        yield piece
    _say(bad, source, step, ledger)


def _made(step: Step, given: Mapping[str, Tensor], target: Tensor, ledger: Ledger) -> Array:
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
    """WB106 for every tensor of a model that holds NaN or Inf; a piece of one at a time in memory."""
    for tensor in graph.tensors:
        bad = _bad_of(tensor) if tensor.is_float else 0
        if bad:
            fix = "train or save it again; nothing useful can be computed"
            yield finding("WB106", _non_finite(tensor, bad), fix=fix, **{side: tensor.name})


def _bad_of(tensor: Tensor) -> int:
    value = as_stored(tensor)
    if not isinstance(value, Streamed):
        return count_non_finite(tensor, value)
    return sum(count_non_finite(tensor, np.frombuffer(p, value.dtype)) for p in value.pieces())


def _loaded(tensor: Tensor, step: Step, ledger: Ledger) -> Array:
    array = tensor.load()
    _say(count_non_finite(tensor, array), tensor, step, ledger)
    return array


def _say(bad: int, tensor: Tensor, step: Step, ledger: Ledger) -> None:
    if bad:
        fix = "train or save the source again; nothing useful can be transferred"
        said = finding("WB106", _non_finite(tensor, bad), source=tensor.name, target=step.target, fix=fix)
        if said not in ledger.findings:  # what a file holds twice goes by twice
            ledger.findings.append(said)


def _non_finite(tensor: Tensor, bad: int) -> str:
    return f"{tensor.name}: {bad} of {tensor.size} values are NaN or Inf"


def count_non_finite(tensor: Tensor, array: Array) -> int:
    """By pieces that stay near the processor, without an array of answers as long as the array."""
    if not tensor.is_float:
        return 0
    if not array.flags.c_contiguous:
        return array.size - int(np.isfinite(array).sum())
    flat = array.reshape(-1)
    pieces = (np.isfinite(flat[i : i + PIECE]) for i in range(0, flat.size, PIECE))
    return sum(0 if finite.all() else finite.size - int(finite.sum()) for finite in pieces)


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
