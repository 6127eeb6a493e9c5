"""The steps of a plan: exact, fresh or kept, and an entry for each source tensor that no step uses."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from weightbridge.matching.values import Match
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor, dtype_of
from weightbridge.plan import Contract, Kind, Step, Unused, UnusedReason
from weightbridge.planning.declared import declared
from weightbridge.transforms import is_bitwise


def exact_step(target: Tensor, match: Match, dtypes: Mapping[str, str]) -> Step:
    """A copy or an exact transform; a change of dtype is part of the contract."""
    source_dtypes = {dtypes[name] for name in match.sources}
    is_converted = bool(source_dtypes - {target.dtype})
    kind: Kind = "transform" if match.transform or is_converted else "copy"
    kind = "adapt" if match.parameters.get("lost") else kind
    return Step(
        target=target.name,
        sources=match.sources,
        kind=kind,
        contract=_contract(match, source_dtypes, target.dtype),
        shape=target.shape,
        size=target.size,
        transform=match.transform,
        parameters=match.parameters,
        confidence=round(match.confidence, 4),
        evidence=match.evidence,
        runners_up=match.runners_up,
    )


def _contract(match: Match, source_dtypes: set[str], target_dtype: str) -> Contract:
    if match.parameters.get("lost"):
        return "lossy"
    if match.preserving or not is_bitwise(match.transform, match.parameters):
        return "preserving"
    if source_dtypes <= {target_dtype}:
        return "bitwise"
    room = dtype_of(target_dtype).itemsize
    is_widened = all(dtype_of(dtype).itemsize < room for dtype in source_dtypes)
    return "preserving" if is_widened else "lossy"


def fresh_step(target: Tensor) -> Step:
    """The target's own initial value."""
    return Step(target.name, (), "fresh", "fresh", target.shape, target.size)


def kept_step(target: Tensor, evidence: str) -> Step:
    """The value that the target has already. evidence: what says that it is right."""
    return Step(target.name, (), "keep", "untouched", target.shape, target.size, evidence=(evidence,))


def with_reading(step: Step, given: Mapping[str, Tensor]) -> Step:
    """The step, named after what reading its source computes: the floats of quantised values."""
    computed = given[step.sources[0]].computed if len(step.sources) == 1 else None
    if computed is None or computed.parts or step.kind not in ("copy", "transform"):
        return step
    contract: Contract = "lossy" if step.contract == "lossy" else "preserving"
    parameters = {**computed.parameters, "then": step.transform, "with": step.parameters}
    return replace(
        step, kind="transform", contract=contract, transform=computed.transform, parameters=parameters
    )


def unused_of(source: LayerGraph, steps: Iterable[Step], globs: Iterable[str]) -> tuple[Unused, ...]:
    """Every source tensor that no step reads, and every excluded one, with its reason."""
    used = {s for step in steps for s in step.sources}
    on_purpose = declared(source, globs)
    kept = [Unused(t.name, _reason(t, on_purpose)) for t in source.tensors if t.name not in used]
    reasons: Mapping[str, UnusedReason] = {e.name: e.reason for e in source.excluded}
    return (*kept, *(Unused(name, reason) for name, reason in reasons.items()))


def _reason(tensor: Tensor, on_purpose: Collection[str]) -> UnusedReason:
    if tensor.name in on_purpose:
        return "declared"
    return "state" if tensor.is_counted else "unexplained"
