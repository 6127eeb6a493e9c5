"""The proof of a transfer: bytes read back always, whole-model equality where both sides run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.commands.candidates import Candidate, controls
from weightbridge.commands.claims import claims_equality, evidence_of, hints_of, unproven
from weightbridge.commands.prepare import Prepared
from weightbridge.commands.until import End, Until, end_of
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
        reference = None if claim else formats.runner(model, arguments=options.source_arguments)
    except (RunError, ModelError) as error:
        return unproven(written, known, f"not run: {error.message}"), _said_of_live(candidate, error)
    setup = replace(_setup(source, candidate.stored, options), hints=hints_of(known))
    try:
        if reference is None:
            verification, said = health(runner, setup)
        else:
            exact = _exact(setup, model, source, candidate, written, options)
            verification, said = equality(reference, runner, exact)
            if verification.evidence.get("sizes_differ"):
                verification, said = _alone(runner, setup, verification)
    except RunError as error:
        verification, said = _not_run(error)
    evidence = {**evidence_of(written, known), **verification.evidence}
    return replace(verification, evidence=evidence), said


def _said_of_live(candidate: Candidate, error: RunError | ModelError) -> tuple[Finding, ...]:
    """WB503 for a live model: its code is here, and yet it was not called."""
    if isinstance(candidate.model, str | Path):
        return ()
    message = f"the model holds what was read back, and was not called: {error.message}"
    return (finding("WB503", message, fix=error.fix),)


def _alone(runner: Runner, setup: Setup, compared: Verification) -> Proof:
    """The target run on its own, where neither model can be had in a shape that the other takes."""
    verification, said = health(runner, setup)
    why = "; ".join(compared.evidence["inconclusive"])
    message = f"outputs are not compared, as no shape fits both models: {why}"
    fix = "every tensor was read back; to compare outputs, build the target for the source's input once"
    return verification, (*said, finding("WB503", message, fix=fix))


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
    )
    try:
        return _compared(a, b, setup, options, end)
    except (RunError, Unsupported, UnsafeContent) as error:
        return _not_run(error)


def _compared(a: Any, b: Any, setup: Setup, options: Options, end: End | None) -> Proof:
    for model in (a, b):
        formats.refuse_to_run(model)
    options.progress("loading the models", 0, 0)

    def reference(dtype: str = "float32") -> Runner:
        runner = formats.runner(a, dtype, options.source_arguments)
        return runner if end is None else up_to(runner, end.source)

    def candidate(dtype: str = "float32") -> Runner:
        runner = formats.runner(b, dtype, options.target_arguments)
        return runner if end is None else up_to(runner, end.target)

    precise = replace(
        setup, precise=lambda: reference("float64"), precise_candidate=lambda: candidate("float64")
    )
    return equality(reference(), candidate(), precise)


def _matched_layers(source: LayerGraph, target: LayerGraph, plan: Plan) -> tuple[tuple[str, str], ...]:
    """The pairs of layers that a step of one source joins."""
    joined = [step for step in plan.steps if len(step.sources) == 1]
    pairs = ((source.owner[s.sources[0]].name, target.owner[s.target].name) for s in joined)
    return tuple(dict.fromkeys(pairs))


def _setup(source: LayerGraph, target: LayerGraph, options: Options) -> Setup:
    seed = seed_of(source.structure, target.structure)
    return Setup(seed=seed, evidence=options.evidence, samples=options.probe, progress=options.progress)


def _exact(
    setup: Setup,
    model: Any,
    source: LayerGraph,
    candidate: Candidate,
    written: Written,
    options: Options,
) -> Setup:
    """Layers are compared where outputs differ, to say where to look."""
    moved = frozenset(step.target for step in written.plan.steps if step.sources)
    return replace(
        setup,
        precise=lambda: formats.runner(model, "float64", options.source_arguments),
        precise_candidate=lambda: candidate.build("float64"),
        controls=controls(candidate, moved, setup.seed),
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
