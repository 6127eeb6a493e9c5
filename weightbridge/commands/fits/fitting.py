"""The fit of a plan: the target's layers fitted to the source's features on calibration inputs."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from math import isfinite
from typing import Any

from weightbridge.adapters.fit.carry_out import Chosen, Result, as_told, carried_out, choose, segments
from weightbridge.adapters.fit.engine import LayerFit
from weightbridge.adapters.fit.goals import Pair
from weightbridge.adapters.fit.snapshot import snapshot
from weightbridge.adapters.fit.worth import exam
from weightbridge.adapters.propose.other import OTHER_SOURCE
from weightbridge.boundary.options import Options
from weightbridge.commands.fits.calibration import FitInputs, fit_inputs, refuse_other_shapes
from weightbridge.commands.fits.fit_worth import chosen_evidence, cropped, fit_evidence, trial_risk, worth_of
from weightbridge.commands.fits.fitted import Fitted
from weightbridge.commands.fits.noise import in_range, said_of_noise
from weightbridge.commands.stages.prepared import Prepared
from weightbridge.commands.stages.single_threaded import single_threaded
from weightbridge.errors import PlanError, Unsupported
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.flow import Flow
from weightbridge.formats.frameworks import framework_module
from weightbridge.model.tensors import Array
from weightbridge.model.vocabulary import PRODUCTS
from weightbridge.plan import CutPair, Fit, Plan
from weightbridge.planning.declared import declared
from weightbridge.planning.findings import unexplained
from weightbridge.planning.fitted import Origin, fitted_plan, kept_layers, without_origin
from weightbridge.transfer.execute import Ledger, values

FLOW = "weightbridge.formats.keras.framework.flow"
RUNNABLE = frozenset({"keras-zip", "keras-h5", "python"})
ATTENTION = PRODUCTS | {"Attention"}
# what is said of single pairs of layers, which are none where a layer is fitted
OF_PAIRS = ("WB2", "WB3", "WB4")


def fitting(
    prepared: Prepared, source: Any, target: Any, options: Options, *, is_carried_out: bool
) -> Fitted:
    """The plan with its fit, and what that gives where it is carried out; as it is where no layer is open."""
    fresh = declared(prepared.target, options.fresh)
    kept = kept_layers(prepared.plan, prepared.target, fresh)
    if all(layer.name in kept for layer in prepared.target.layers if layer.tensors):
        return Fitted(prepared)
    refused = _attention(prepared)
    if refused:
        return Fitted(replace(prepared, findings=(*_kept_findings(prepared), refused)))
    module = _module(prepared)
    with ExitStack() as stack:
        stack.enter_context(single_threaded())
        stack.enter_context(module.kept_as_it_is(target))
        options.progress("loading the models", 0, 0)
        ours, theirs = module.loaded(target), module.loaded(source)
        inputs = fit_inputs(options.calibrate, module.input_specs(theirs, prepared.source.path))
        _refuse_other_inputs(prepared.plan, inputs)
        refuse_other_shapes(inputs, module.input_specs(ours, prepared.target.path))
        flows = module.flow(ours, inputs.x), module.flow(theirs, inputs.x)
        inputs = replace(inputs, x=in_range(flows[1], inputs.x)) if inputs.is_noise else inputs
        return _made(prepared, flows, kept, inputs, options, is_carried_out)


def _refuse_other_inputs(plan: Plan, inputs: FitInputs) -> None:
    if plan.fit is not None and plan.fit.inputs != inputs.sha256:
        message = "the plan was made with other calibration inputs"
        raise PlanError(message, fix="give those that it was made with, or make a new plan with these")


def _attention(prepared: Prepared) -> Finding | None:
    """WB309: what attention computes from all places at once no convolution is fitted to, nor it to that."""
    sides = {"source": prepared.source, "target": prepared.target}
    attending = {
        side: next((layer for layer in graph.layers if layer.op in ATTENTION), None)
        for side, graph in sides.items()
    }
    found = {side: layer for side, layer in attending.items() if layer is not None}
    if not found:
        return None
    both = len(found) == 2
    where = " and ".join(f"the {side} ({layer.name})" for side, layer in found.items())
    message = (
        f"another architecture with attention in {where}: least squares fit convolutions and Dense layers to "
        f"features of convolutions, {'and neither is such a network' if both else 'and not to attention'}"
    )
    return finding("WB309", message, fix=OTHER_SOURCE)


def _module(prepared: Prepared) -> Any:
    for graph, side in ((prepared.source, "source"), (prepared.target, "target")):
        if graph.format not in RUNNABLE:
            message = (
                f"--adapt fit runs both models layer by layer in Keras, and the {side} is {graph.format}"
            )
            fix = "convert it to .keras first: weightbridge convert MODEL OUTPUT.keras"
            raise Unsupported(message, where=graph.path, fix=fix)
    return framework_module(FLOW)


def _made(
    prepared: Prepared,
    flows: tuple[Flow, Flow],
    kept: frozenset[str],
    inputs: FitInputs,
    options: Options,
    is_carried_out: bool,
) -> Fitted:
    target, source = flows
    plan = (
        without_origin(prepared.plan, kept, prepared.target) if prepared.plan.fit is None else prepared.plan
    )
    exact = values(plan, prepared.source, prepared.target, Ledger())
    target.fill({tensor.name: value for tensor, value in exact})
    fresh = snapshot(target)
    chosen = _chosen(plan, flows, inputs.x, kept, options)
    fit = _fit(plan, chosen, inputs)
    origins = _origins(target, source, chosen.pairs, kept)
    if not is_carried_out:
        plan = fitted_plan(plan, prepared.source, fit, origins, options.unused)
        unused = unexplained(prepared.source, plan.unused, is_one=True)
        findings = (*_kept_findings(prepared), *unused, *_of_noise(inputs, chosen), *trial_risk(fit))
        return Fitted(replace(prepared, plan=plan, findings=findings), evidence=chosen_evidence(fit))
    asked = exam(source, chosen.pairs[-1].source, inputs.x, inputs.y)
    result = carried_out(target, source, chosen.pairs, asked.x, kept, options.progress)
    origins = {name: origins[name] for name in result.values}
    plan = fitted_plan(plan, prepared.source, fit, origins, options.unused)
    plan = _with_costs(plan, prepared, result)
    worth = worth_of(target, chosen.pairs, asked, fresh, lambda: cropped(prepared, options))
    evidence = fit_evidence(fit, result, worth, asked)
    said = (*_said(prepared, plan, result, len(asked.x)), *_of_noise(inputs, chosen))
    findings = (*_kept_findings(prepared), *said, *worth.findings)
    return Fitted(replace(prepared, plan=plan, findings=findings), result.values, evidence)


def _of_noise(inputs: FitInputs, chosen: Chosen) -> tuple[Finding, ...]:
    return (said_of_noise(len(inputs.x), chosen.pairs[-1].target.name),) if inputs.is_noise else ()


def _chosen(plan: Plan, flows: tuple[Flow, Flow], x: Array, kept: frozenset[str], options: Options) -> Chosen:
    if plan.fit is None:
        return choose(*flows, x, kept, options.progress)
    try:
        return Chosen(as_told(*flows, [(cut.target, cut.source) for cut in plan.fit.cuts]))
    except KeyError as error:
        raise PlanError(
            f"fit.cuts: {error} is no cut of its model", fix="name one that a new plan lists"
        ) from error


def _fit(plan: Plan, chosen: Chosen, inputs: FitInputs) -> Fit:
    cuts = tuple(CutPair(pair.target.name, pair.source.name) for pair in chosen.pairs)
    if plan.fit is not None:
        return replace(plan.fit, cuts=cuts)
    scores = {trial.way: _score(trial.score) for trial in chosen.trials}
    way = chosen.trials[0].way
    return Fit(inputs.sha256, cuts, way, scores[way], scores, _score(chosen.control))


def _score(r2: float | None) -> float | None:
    """None where there is none: a trial that ended with NaN."""
    return None if r2 is None or not isfinite(r2) else round(r2, 4)


def _origins(
    target: Flow, source: Flow, pairs: tuple[Pair, ...], kept: frozenset[str]
) -> Mapping[str, Origin]:
    """By tensor that is fitted, or will be, its source cut and the source's layers before that."""
    stands_for = segments(source, [pair.source for pair in pairs])
    found: dict[str, Origin] = {}
    for i in _open_nodes(target, kept, pairs[-1].target.node):
        cut = next(pair.source for pair in pairs if pair.target.node >= i)
        found |= dict.fromkeys(target.names(i).values(), (cut.name, stands_for[cut.node]))
    return found


def _open_nodes(flow: Flow, kept: frozenset[str], last: int) -> list[int]:
    nodes = enumerate(flow.nodes[: last + 1])
    return [i for i, node in nodes if node.name not in kept and not node.again]


def _with_costs(plan: Plan, prepared: Prepared, result: Result) -> Plan:
    scores = {layer.layer: layer for layer in result.layers}
    owner = prepared.target.owner

    def step(one: Any) -> Any:
        layer = scores.get(owner[one.target].name)
        if layer is None or layer.r2 is None or not one.transform:
            return one
        r2 = round(layer.r2, 4)
        return replace(
            one, energy_kept=max(0.0, min(1.0, r2)), cost=f"R2 {r2:.2f} on held-out rows; {one.cost}"
        )

    return replace(plan, steps=tuple(map(step, plan.steps)))


def _kept_findings(prepared: Prepared) -> tuple[Finding, ...]:
    return tuple(f for f in prepared.findings if not f.code.startswith(OF_PAIRS))


def _said(prepared: Prepared, plan: Plan, result: Result, count: int) -> tuple[Finding, ...]:
    left = [layer for layer in result.layers if layer.reason.endswith("as initialised")]
    lossy = (_lossy(result.layers, left, count),) if result.layers else ()
    return (*unexplained(prepared.source, plan.unused, is_one=True), *lossy)


def _lossy(layers: tuple[LayerFit, ...], left: list[LayerFit], count: int) -> Finding:
    known = [layer for layer in layers if layer.r2 is not None and not layer.reason]
    worst = min(known, key=lambda layer: layer.r2 or 0.0, default=None)
    message = f"{len(layers) - len(left)} layers are fitted to {count:,} inputs by least squares"
    if worst is not None and worst.r2 is not None:
        message += f"; least of its goal has {worst.layer}, R2 {worst.r2:.2f}"
    firsts = {layer.reason: layer.layer for layer in reversed(left)}
    reasons = [f"{firsts[reason]}: {reason.rpartition(':')[0]}" for reason in reversed(firsts)]
    if left:
        message += f"; {len(left)} stay as initialised ({'; '.join(reasons)})"
    fix = "treat the result as an initialisation: fine-tune the target"
    return finding("WB302", message, target=layers[-1].layer, fix=fix)
