"""What a transfer may claim, and the proof of it: bytes read back always, whole-model equality where both
sides run.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from weightbridge import formats
from weightbridge.commands.claims import NOT_RUN, claims_equality, evidence_of, unproven
from weightbridge.diagnostics import Finding, finding
from weightbridge.errors import ModelError, RunError, UnsafeContent, Unsupported
from weightbridge.formats.hashing import structure_hash
from weightbridge.model.graph import LayerGraph
from weightbridge.options import Options
from weightbridge.plan import Plan
from weightbridge.transfer.write import Written
from weightbridge.verification import Verification
from weightbridge.verify import Control, Setup, equality, health, seed_of, shuffled


def prove(
    given: Any,
    source: LayerGraph,
    target: LayerGraph,
    written: Written,
    findings: tuple[Finding, ...],
    options: Options,
) -> tuple[Verification, tuple[Finding, ...]]:
    """Verification of a written file before it gets its name. The read-back has happened; its count is part
    of the evidence.

    given: the source as the user gave it, a path or a live model; `source` is its graph.
    """
    if not options.verify:
        return unproven(written, findings, NOT_RUN), ()
    known = (
        *findings,
        *source.findings,
    )  # what changed since the source was saved: run today, it is no reference
    claim = claims_equality(written.plan, known)
    evidence = evidence_of(written, known)
    try:
        candidate = formats.runner(written.path)
        reference = None if claim else formats.runner(given, arguments=options.source_arguments)
    except (RunError, ModelError) as error:
        return unproven(written, findings, f"not run: {error.message}"), ()
    seed = seed_of(structure_hash(source), structure_hash(target))
    setup = Setup(seed=seed, evidence=options.evidence, samples=options.probe)
    try:
        with TemporaryDirectory(prefix="weightbridge-") as folder:
            if reference is None:
                found, said = health(candidate, setup)
            else:
                controls = _controls(written.plan, target, written, Path(folder), seed)
                found, said = equality(reference, candidate, _exact(setup, given, written, options, controls))
    except RunError as error:
        found, said = _not_run(error)
    return replace(found, evidence={**evidence, **found.evidence}), said


def _not_run(error: RunError | ModelError) -> tuple[Verification, tuple[Finding, ...]]:
    """What was asked to run and cannot proves nothing."""
    reason = f"nothing was compared: {error.where}{': ' if error.where else ''}{error.message}"
    fix = error.fix or "give models that can be run; `weightbridge check` compares what is stored"
    return Verification("none", evidence={"comparisons": 0, "inconclusive": [reason]}), (
        finding("WB504", reason, fix=fix),
    )


def _exact(
    setup: Setup, given: Any, written: Written, options: Options, controls: tuple[Control, ...]
) -> Setup:
    return replace(
        setup,
        precise=lambda: formats.runner(given, "float64", options.source_arguments),
        precise_candidate=lambda: formats.runner(written.path, "float64"),
        controls=controls,
    )


def _controls(
    plan: Plan, target: LayerGraph, written: Written, folder: Path, seed: int
) -> tuple[Control, ...]:
    """The target before the transfer, and the plan shuffled among tensors of one shape; each must fail."""
    stored = formats.read(written.path)
    moved = {s.target for s in plan.steps if s.sources}
    tensors = {t.name: t for t in stored.tensors if t.name in moved}
    before = target.tensor_by_name
    same = all(before[n].load().tobytes() == t.load().tobytes() for n, t in tensors.items())
    first = (
        Control("target before transfer", reason="the target held these weights already")
        if same
        else Control("target before transfer", lambda: formats.runner(target.path))
    )
    mapping = shuffled(((n, t.load()) for n, t in tensors.items()), seed)
    if not mapping:
        return (
            first,
            Control("plan shuffled among same-shape tensors", reason="no two tensors of one shape differ"),
        )

    def build() -> formats.Runner:
        path = folder / f"shuffled{''.join(written.path.suffixes[-1:])}"
        formats.write(stored, path, ((tensors[n], tensors[other].load()) for n, other in mapping.items()))
        return formats.runner(path)

    return (first, Control("plan shuffled among same-shape tensors", build))


def prove_pair(
    source: LayerGraph, target: LayerGraph, a: Any, b: Any, plan: Plan, options: Options
) -> tuple[Verification, tuple[Finding, ...]]:
    """`verify A B`: both as they are, every matched layer that one step joins compared too. What cannot be
    run proves nothing: WB504.
    """
    try:
        return _compared(source, target, a, b, plan, options)
    except (RunError, Unsupported, UnsafeContent) as error:
        return _not_run(error)


def _compared(
    source: LayerGraph, target: LayerGraph, a: Any, b: Any, plan: Plan, options: Options
) -> tuple[Verification, tuple[Finding, ...]]:
    reference = formats.runner(a, arguments=options.source_arguments)
    candidate = formats.runner(b, arguments=options.target_arguments)
    pairs = dict.fromkeys(
        (source.owner[s.sources[0]].name, target.owner[s.target].name)
        for s in plan.steps
        if len(s.sources) == 1
    )
    setup = Setup(
        seed=seed_of(structure_hash(source), structure_hash(target)),
        evidence=options.evidence,
        samples=options.probe,
        precise=lambda: formats.runner(a, "float64", options.source_arguments),
        precise_candidate=lambda: formats.runner(b, "float64", options.target_arguments),
        layers=tuple(pairs),
    )
    return equality(reference, candidate, setup)
