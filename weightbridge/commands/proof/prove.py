"""The proof of a transfer: bytes read back always, whole-model equality where both sides run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.commands.proof.as_saved import Reference, first_that_runs, is_outdated
from weightbridge.commands.proof.candidates import Candidate, controls
from weightbridge.commands.proof.claims import claims_equality, evidence_of, hints_of, unproven
from weightbridge.commands.proof.layerwise import ControlsOf, Layerwise, can_be_compared, layer_by_layer
from weightbridge.commands.proof.unseen import substitutes
from weightbridge.commands.proof.until import End, Until, end_of
from weightbridge.commands.stages.prepared import Prepared
from weightbridge.errors import ModelError, RunError, UnsafeContent, Unsupported
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.running import Runner
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan
from weightbridge.report.verification import Verification
from weightbridge.transfer.write import Written
from weightbridge.verify import Setup, equality, health, seed_of
from weightbridge.verify.up_to import up_to

Proof = tuple[Verification, tuple[Finding, ...]]


def prove(
    model: Any,
    source: LayerGraph,
    candidate: Candidate,
    written: Written,
    findings: tuple[Finding, ...],
    options: Options,
) -> Proof:
    """Verification of what was written, before a file gets its name or a live model keeps its values.

    It has been read back, which is evidence too. model: the source as the user gave it, a path or a live
    model; `source` is its graph. No framework is imported where a file shows that nothing can be run.
    """
    # what changed since the source was saved: run today, it is no reference
    known = (*findings, *source.findings)
    claim = claims_equality(written.plan, known)
    options.progress("loading the models", 0, 0)
    try:
        formats.refuse_to_run(candidate.model)
        if not claim:
            formats.refuse_to_run(model)
        runner = candidate.build("float32")
        reference = _reference(model, known, options, is_needed=not claim)
    except (RunError, ModelError) as error:
        return unproven(written, known, f"not run: {error.message}"), _said_of_live(candidate, error)
    setup = replace(_setup(source, candidate.stored, options), hints=hints_of(known))
    setup = _exact(setup, model, source, candidate, written, options)
    setup = setup if claim else replace(setup, controls=controls(candidate, _moved(written.plan), setup.seed))
    sides = _Sides(reference, runner, source, candidate, written.plan, known)
    try:
        verification, said = _partly(sides, setup) if claim else _whole(sides, setup)
    except RunError as error:
        verification, said = _not_run(error)
    evidence = {**evidence_of(written, known), **verification.evidence}
    return replace(verification, evidence=evidence), said


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both models as they run and as graphs; reference is None where the source cannot be run.

    known: what is said of them already.
    """

    reference: Runner | None
    runner: Runner
    source: LayerGraph
    candidate: Candidate
    plan: Plan
    known: tuple[Finding, ...]

    def layer_by_layer(self, setup: Setup) -> Layerwise:
        if self.reference is None or not can_be_compared(self.known):
            return Layerwise()
        runners, graphs = (self.reference, self.runner), (self.source, self.candidate.stored)
        return layer_by_layer(runners, graphs, self.plan, self.known, setup, self._controls(setup.seed))

    def _controls(self, seed: int) -> ControlsOf:
        moved = _moved(self.plan)
        return lambda names: controls(self.candidate, moved & names, seed)


def _reference(model: Any, known: Iterable[Finding], options: Options, is_needed: bool) -> Runner | None:
    """The source; where not the whole is compared, None if it cannot be run or is no reference."""
    if not is_needed and not can_be_compared(known):
        return None
    try:
        formats.refuse_to_run(model)
        return formats.runner(model, arguments=options.source_arguments)
    except (RunError, ModelError):
        if is_needed:
            raise
        return None


def _moved(plan: Plan) -> frozenset[str]:
    return frozenset(step.target for step in plan.steps if step.sources)


def _whole(sides: _Sides, setup: Setup) -> Proof:
    """Two models claimed to be one function: all outputs or, where no shape fits both, all layers."""
    assert sides.reference is not None
    verification, said = equality(sides.reference, sides.runner, setup)
    if not verification.evidence.get("sizes_differ"):
        return verification, said
    layerwise = sides.layer_by_layer(setup)
    why = "; ".join(verification.evidence["inconclusive"])
    verification, said = _with_layers(health(sides.runner, setup), layerwise)
    if layerwise.findings:
        return verification, said
    verification = replace(verification, mode="layers")
    if layerwise.complete:
        return verification, said
    message = f"outputs are not compared, as no shape fits both models: {why}"
    fix = "every tensor was read back; to compare outputs, build the target for the source's input once"
    return verification, (*said, finding("WB503", f"{message}{_so_far(layerwise)}", fix=fix))


def _partly(sides: _Sides, setup: Setup) -> Proof:
    """A target that is no copy as a whole: its signals, and the layers that are copies."""
    return _with_layers(health(sides.runner, setup), sides.layer_by_layer(setup))


def _with_layers(proof: Proof, layerwise: Layerwise) -> Proof:
    """The layers' entries joined by the target's name."""
    verification, said = proof
    found = {entry["target"]: entry for entry in layerwise.entries}
    own = [{**entry, **found.pop(entry["target"], {})} for entry in verification.layers]
    evidence = {**verification.evidence, **(layerwise.evidence or {})}
    layers = (*own, *found.values())
    return replace(verification, layers=layers, evidence=evidence), (*said, *layerwise.findings)


def _so_far(layerwise: Layerwise) -> str:
    return f"; {layerwise.evidence['strength']}" if layerwise.evidence else ""


def _said_of_live(candidate: Candidate, error: RunError | ModelError) -> tuple[Finding, ...]:
    """WB503 for a live model: its code is here, and yet it was not called."""
    if isinstance(candidate.model, str | Path):
        return ()
    message = f"the model holds what was read back, and was not called: {error.message}"
    return (finding("WB503", message, fix=error.fix),)


def prove_pair(
    prepared: Prepared, a: Any, b: Any, plan: Plan, options: Options, until: Until | None = None
) -> Proof:
    """`verify A B`: both as they are, every matched layer that one step joins compared too.

    What cannot be run proves nothing: WB504. until: a layer whose output decides instead of the models'.
    """
    pairs = _matched_layers(prepared.source, prepared.target, plan)
    end = None if until is None else end_of(until, prepared.source, prepared.target, pairs)
    setup = replace(
        _setup(prepared.source, prepared.target, options),
        layers=tuple(pair for pair in pairs if end is None or pair[0] in end.before),
        substitutes=substitutes(prepared.source, prepared.target, plan) if end is None else None,
    )
    try:
        return _compared(prepared, (a, b), plan, setup, options, end)
    except (RunError, Unsupported, UnsafeContent) as error:
        return _not_run(error)


def _compared(
    prepared: Prepared, models: tuple[Any, Any], plan: Plan, setup: Setup, options: Options, end: End | None
) -> Proof:
    for model in models:
        formats.refuse_to_run(model)
    options.progress("loading the models", 0, 0)
    ends = (None, None) if end is None else (end.source, end.target)
    by_source, reference = _side(models[0], prepared.source, options.source_arguments, ends[0])
    by_target, candidate = _side(models[1], prepared.target, options.target_arguments, ends[1])
    precise = replace(
        setup, precise=lambda: reference("float64"), precise_candidate=lambda: candidate("float64")
    )
    runners = reference("float32"), candidate("float32")
    proof = _said_who_ran(equality(*runners, precise), {"source": by_source, "target": by_target})
    if end is not None or not proof[0].evidence.get("sizes_differ"):
        return proof
    return _by_layers(proof, runners, prepared, plan, precise)


def _side(model: Any, graph: LayerGraph, arguments: Mapping[str, Any], end: str | None) -> Reference:
    """Who runs it, and how: a file that today's Keras reads otherwise is what it was when it was saved."""
    if end is None and is_outdated(graph) and (found := first_that_runs(Path(graph.path), graph)):
        return found

    def build(dtype: str) -> Runner:
        runner = formats.runner(model, dtype, arguments)
        return runner if end is None else up_to(runner, end)

    return "", build


def _said_who_ran(proof: Proof, names: Mapping[str, str]) -> Proof:
    """`as_saved` in the evidence: of each side that was run as it was when it was saved, by what."""
    told = {side: name for side, name in names.items() if name}
    verification, said = proof
    evidence = {**verification.evidence, "as_saved": told}
    return (replace(verification, evidence=evidence), said) if told else proof


def _by_layers(
    proof: Proof, runners: tuple[Runner, Runner], prepared: Prepared, plan: Plan, setup: Setup
) -> Proof:
    """What single layers say where no shape fits both models; the proof itself where they say too little."""
    graphs = prepared.source, prepared.target
    known = (*prepared.findings, *prepared.source.findings)
    if not can_be_compared(known):
        return proof
    layerwise = layer_by_layer(runners, graphs, plan, known, setup)
    if not (layerwise.complete or layerwise.findings):
        return proof
    evidence = {"comparisons": len(layerwise.entries), **(layerwise.evidence or {})}
    return Verification("layers", (), layerwise.entries, evidence), layerwise.findings


def _matched_layers(source: LayerGraph, target: LayerGraph, plan: Plan) -> tuple[tuple[str, str], ...]:
    """The pairs of layers that a step of one source joins."""
    joined = [step for step in plan.steps if len(step.sources) == 1]
    pairs = ((source.owner[s.sources[0]].name, target.owner[s.target].name) for s in joined)
    return tuple(dict.fromkeys(pairs))


def _setup(source: LayerGraph, target: LayerGraph, options: Options) -> Setup:
    seed = seed_of(source.structure, target.structure)
    return Setup(
        seed=seed,
        evidence=options.evidence,
        samples=options.probe,
        progress=options.progress,
        nbytes=sum(tensor.nbytes for tensor in target.tensors),
        is_one_layout=source.framework == target.framework,
    )


def _exact(
    setup: Setup,
    model: Any,
    source: LayerGraph,
    candidate: Candidate,
    written: Written,
    options: Options,
) -> Setup:
    """Layers are compared where outputs differ, to say where to look."""
    return replace(
        setup,
        precise=lambda: formats.runner(model, "float64", options.source_arguments),
        precise_candidate=lambda: candidate.build("float64"),
        layers=_matched_layers(source, candidate.stored, written.plan),
        all_layers=False,
    )


def _not_run(error: RunError | ModelError) -> Proof:
    """What was asked to run and cannot proves nothing."""
    place = f"{error.where}: " if error.where else ""
    reason = f"nothing was compared: {place}{error.message}"
    fix = error.fix or "give models that can be run; `weightbridge check` compares what is stored"
    verification = Verification("none", evidence={"comparisons": 0, "inconclusive": [reason]})
    return verification, (finding("WB504", reason, fix=fix),)
