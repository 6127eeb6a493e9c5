"""Kernels with a norm folded in, of a plan that a person has changed: the norm goes with the kernel."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from weightbridge.boundary.options import Options
from weightbridge.errors import PlanError
from weightbridge.errors.diagnostics import listed
from weightbridge.matching.match import match
from weightbridge.matching.values import Match
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Step

FOLD = "fold-batchnorm"
FIX = "name the norm of that kernel too, or make a new plan with --map SOURCE=TARGET of the two layers"


@dataclass(frozen=True, slots=True)
class Folds:
    """What two models give without a plan. of: by target tensor; bias: by kernel in the target, the bias.

    own: by kernel in the source, what its norm makes of it and of its bias.
    """

    of: Mapping[str, Match]
    bias: Mapping[str, str]
    own: Mapping[str, tuple[Match, Match | None]]


def refolded(steps: Mapping[str, Step], source: LayerGraph, target: LayerGraph) -> Iterator[Step]:
    """The steps of a changed kernel and its bias, with the norm of the source layer that it comes from now.

    Steps whose norm was changed too stay as they are written. Raises PlanError where that layer has no norm.
    """
    kernels = [step for step in steps.values() if step.transform == FOLD and _role(step) == "kernel"]
    if not kernels:
        return
    found = _folds(source, target)
    for step in kernels:
        usual = found.of.get(step.target)
        if usual is not None and _is_left_behind(step, usual):
            yield from _with_own_norm(step, steps, found)


def _role(step: Step) -> str:
    roles = step.parameters.get("roles", ())
    return str(roles[0]) if roles else ""


def _folds(source: LayerGraph, target: LayerGraph) -> Folds:
    matches = {m.target: m for m in match(source, target, Options()).matches if m.transform == FOLD}
    bias = {}
    own = {}
    for name, found in matches.items():
        if found.parameters["roles"][0] != "kernel":
            continue
        beside = target.owner[name].tensor("bias")
        given = matches.get(beside.name) if beside is not None else None
        own[found.sources[0]] = (found, given)
        if beside is not None and given is not None:
            bias[name] = beside.name
    return Folds(matches, bias, own)


def _is_left_behind(step: Step, usual: Match) -> bool:
    """Whether the kernel is another than these models give, and the norm is not."""
    return step.sources[0] != usual.sources[0] and step.sources[1:] == usual.sources[1:]


def _with_own_norm(step: Step, steps: Mapping[str, Step], found: Folds) -> Iterator[Step]:
    kernel = step.sources[0]
    if kernel not in found.own:
        norm = listed(list(step.sources[1:]), 2)
        raise PlanError(f"{step.target}: takes {kernel} with the norm of another layer ({norm})", fix=FIX)
    of_kernel, of_bias = found.own[kernel]
    yield _as(step, of_kernel)
    bias = found.bias.get(step.target, "")
    beside, usual = steps.get(bias), found.of.get(bias)
    if beside is not None and usual is not None and of_bias is not None and beside.sources == usual.sources:
        yield _as(beside, of_bias)


def _as(step: Step, own: Match) -> Step:
    told = {name: own.parameters[name] for name in ("roles", "epsilon")}
    return replace(step, sources=own.sources, parameters={**step.parameters, **told})
