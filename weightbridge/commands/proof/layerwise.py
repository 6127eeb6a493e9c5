"""Proof layer by layer, where the two whole models cannot be compared: another input, head or stem."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weightbridge.commands.proof.claims import TO_LOOK_AT
from weightbridge.commands.proof.counterparts import counterparts, misplaced
from weightbridge.errors import ModelError, RunError
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.running import Runner
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan
from weightbridge.report.words import counted, percent
from weightbridge.verify import Control, Counterparts, Setup, compare_alone

ControlsOf = Callable[[frozenset[str]], Sequence[Control]]
DIFFERS = frozenset({"differs", "non-finite"})
LAYOUT = ("data_format", "axis")
OTHER_FUNCTION = TO_LOOK_AT | {"WB301"}
# Run today the source is no reference (WB103) or no whole (WB105); layers of another architecture (WB309)
# stand in other places.
NO_REFERENCE = frozenset({"WB103", "WB105", "WB309"})


@dataclass(frozen=True, slots=True)
class Layerwise:
    """What was compared one by one.

    complete: whether that is every layer that gets weights. evidence: counts, controls, and how strong it is.
    """

    entries: tuple[Mapping[str, Any], ...] = ()
    findings: tuple[Finding, ...] = ()
    evidence: Mapping[str, Any] | None = None
    complete: bool = False


def can_be_compared(findings: Iterable[Finding]) -> bool:
    return not any(found.code in NO_REFERENCE for found in findings)


def layer_by_layer(
    runners: tuple[Runner, Runner],
    graphs: tuple[LayerGraph, LayerGraph],
    plan: Plan,
    known: Iterable[Finding],
    setup: Setup,
    controls_of: ControlsOf = lambda _: (),
) -> Layerwise:
    """Every layer that gets all its weights exactly, fed the same inputs as the one they come from.

    runners, graphs: of the source and of the target. known: findings, whose places are not expected to agree.
    controls_of: models that must fail, in which these tensors are other ones.
    """
    source, target = graphs
    pairs = counterparts(source, target, plan, _differing(known))
    best = _best_of_each(_entries(runners, pairs, setup))
    wrong = [entry for entry in best if entry["status"] in DIFFERS]
    faults = (*map(_differs, wrong), *misplaced(source, target, plan))
    names = {entry["target"] for entry in best}
    compared = [pair for pair in pairs if pair.target in names]
    results = (
        [] if faults else _results(runners[0], compared, setup, _controls(compared, target, controls_of))
    )
    vacuous = tuple(_vacuous(r["name"]) for r in results if r["result"] == "passed")
    evidence = {**_counts(best, target, plan), "controls": results}
    is_complete = not faults and evidence["alone"]["equal"] == evidence["alone"]["of"] > 0
    return Layerwise(best, (*faults, *vacuous), evidence, is_complete)


def _entries(
    runners: tuple[Runner, Runner], pairs: Sequence[Counterparts], setup: Setup
) -> Sequence[Mapping[str, Any]]:
    """Nothing where one side is not fed: what is left is what the files say."""
    try:
        return list(compare_alone(*runners, pairs, setup))
    except RunError:
        return ()


def _controls(
    compared: Sequence[Counterparts], target: LayerGraph, controls_of: ControlsOf
) -> Sequence[Control]:
    """Those in which the tensors of the compared layers are other ones."""
    names = frozenset(t.name for pair in compared for t in target.by_name[pair.target].tensors)
    return controls_of(names) if compared else ()


def _differing(known: Iterable[Finding]) -> frozenset[str]:
    """The layers that are known to compute something else; another order of axes is none."""
    said = (f for f in known if f.code in OTHER_FUNCTION and f.about not in LAYOUT)
    return frozenset(place for found in said for place in (found.source, found.target))


def _best_of_each(entries: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """One for each target layer: several may give it weights, and it must agree with one of them."""
    found: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        before = found.get(entry["target"])
        if before is None or (before["status"] in DIFFERS and entry["status"] not in DIFFERS):
            found[entry["target"]] = entry
    return tuple(found.values())


def _differs(entry: Mapping[str, Any]) -> Finding:
    source, target = entry["source"], entry["target"]
    what = f"{target} differs from {source} where both are fed {entry['probe']}"
    ratio = (
        "NaN or Inf" if entry["ratio_local"] is None else f"{entry['ratio_local']:.3g} times the noise floor"
    )
    message = f"{what}: {ratio}, at most {entry['limit']:.3g} passes"
    fix = "look at the steps of this layer: a tensor of another layer, or in another order of axes"
    return finding("WB402", message, source=source, target=target, fix=fix)


def _results(
    reference: Runner, pairs: Sequence[Counterparts], setup: Setup, controls: Sequence[Control]
) -> list[Mapping[str, Any]]:
    return [{"name": control.name, **_result(reference, control, pairs, setup)} for control in controls]


def _result(
    reference: Runner, control: Control, pairs: Sequence[Counterparts], setup: Setup
) -> Mapping[str, Any]:
    """A control fails at the first layer that differs."""
    if control.build is None:
        return {"result": "skipped", "reason": control.reason}
    try:
        entries = compare_alone(reference, control.build(), pairs, setup)
        failing = next((entry for entry in entries if entry["status"] in DIFFERS), None)
    except (RunError, ModelError) as error:
        return {"result": "skipped", "reason": error.message}
    if failing is None:
        return {"result": "passed", "reason": "its layers agree with the source's"}
    return {"result": "failed", "layer": failing["target"]}


def _vacuous(control: str) -> Finding:
    message = f"the control {control!r} passes the check of single layers, and must not"
    return finding("WB502", message, target=control, fix="look for layers whose weights have no effect")


def _counts(entries: Sequence[Mapping[str, Any]], target: LayerGraph, plan: Plan) -> dict[str, Any]:
    """How many of the layers that get weights were found equal, and how much of the target they hold."""
    equal = {entry["target"] for entry in entries if entry["status"] == "equal"}
    given = {target.owner[s.target].name for s in plan.steps if s.sources and s.target in target.owner}
    held = sum(tensor.size for name in equal for tensor in target.by_name[name].tensors)
    share = held / target.parameters if target.parameters else 0.0
    numbers = {"equal": len(equal), "compared": len(entries), "of": len(given), "parameters": round(share, 4)}
    said = f"{len(equal):,} of {counted(len(given), 'layer')} that get weights compute what the source's do"
    return {
        "alone": numbers,
        "strength": f"{said}, fed the same inputs: {percent(share)} of the target's parameters",
    }
