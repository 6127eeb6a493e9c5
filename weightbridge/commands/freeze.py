"""Freezing: which layers of a model are trained further, by what was transferred into them."""

from typing import Any

from weightbridge.boundary.checked import public
from weightbridge.errors import PlanError
from weightbridge.formats.frameworks import framework_module
from weightbridge.model.graph import Layer
from weightbridge.plan import Plan, Step
from weightbridge.report.values import Report

KEPT = frozenset({"bitwise", "preserving"})


@public
def freeze(model: Any, plan: Plan | Report) -> tuple[str, ...]:
    """Freeze the layers of a live Keras model whose tensors were all transferred exactly, and no other.

    Or, by the report of `advise`, all but the head: the first phase of what it advises.

    A frozen BatchNormalization runs in inference mode: its running statistics stay. Returns the names of the
    frozen layers, in the model's order. Compile the model after this: Keras fixes what is trained when it
    compiles.

    model: a live keras.Model, whose `trainable` flags are set.
    plan: what was carried out into it: `report.plan` of a transfer, or of `plan`; or the report of `advise`.

    Raises PlanError where the plan or the advice is for another model.

    >>> report = transfer("trained.h5", model, fresh=["head/*"])
    >>> freeze(model, report.plan)
    """
    live = framework_module("weightbridge.formats.keras.framework.live")  # a framework
    if isinstance(plan, Report):
        return _by_advice(live, model, plan)
    if not isinstance(plan, Plan):
        raise PlanError(
            f"expected a Plan, got {type(plan).__name__}",
            fix="Make one with weightbridge.plan, or read it with Plan.load",
        )
    steps = {step.target: step for step in plan.steps}
    layers = [layer for layer in live.read(model).layers if layer.tensors]
    _refuse_strangers(layers, steps)
    frozen = tuple(
        layer.name for layer in layers if all(_is_kept(steps[tensor.name]) for tensor in layer.tensors)
    )
    live.set_trainable(model, frozen)
    return frozen


def _by_advice(live: Any, model: Any, report: Report) -> tuple[str, ...]:
    frozen = tuple(layer for group in advised_groups(report)[:-1] for layer in group)
    live.set_trainable(model, frozen)
    return frozen


def advised_groups(report: Report) -> tuple[tuple[str, ...], ...]:
    """The layers of each group that `advise` has made, the head's last. PlanError for another report."""
    found = report.verification.evidence.get("advice")
    if report.command != "advise" or not found:
        raise PlanError(
            f"the report of {report.command} holds no advice",
            fix="Give that of weightbridge.advise, or a plan: report.plan",
        )
    return tuple(tuple(group["layers"]) for group in found["groups"])


def _is_kept(step: Step) -> bool:
    return step.kind in ("copy", "transform") and step.contract in KEPT


def _refuse_strangers(layers: list[Layer], steps: dict[str, Step]) -> None:
    names = {tensor.name for layer in layers for tensor in layer.tensors}
    if names != set(steps):
        odd = sorted(names ^ set(steps))
        state = "not planned" if odd[0] in names else "not in the model"
        message = f"the plan is for another model: {odd[0]!r} is {state} ({len(odd)} tensors)"
        raise PlanError(message, fix="Make the plan for this model, with weightbridge plan or check")
