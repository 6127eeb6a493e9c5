"""The proof of a transfer: bytes read back always, whole-model equality where both sides run."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from weightbridge import formats
from weightbridge.commands.claims import NOT_RUN, claims_equality, evidence_of, unproven
from weightbridge.diagnostics import Finding, finding
from weightbridge.errors import ModelError, RunError, UnsafeContent, Unsupported
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.options import Options
from weightbridge.plan import Plan
from weightbridge.transfer.write import Written
from weightbridge.verification import Verification
from weightbridge.verify import Control, Setup, equality, health, seed_of, shuffled


def prove(
    model: Any,
    source: LayerGraph,
    target: LayerGraph,
    written: Written,
    findings: tuple[Finding, ...],
    options: Options,
) -> tuple[Verification, tuple[Finding, ...]]:
    """Verification of a written file before it gets its name; the read-back is evidence too.

    model: the source as the user gave it, a path or a live model; `source` is its graph.
    """
    if not options.verify:
        return unproven(written, findings, NOT_RUN), ()
    # what changed since the source was saved: run today, it is no reference
    known = (*findings, *source.findings)
    claim = claims_equality(written.plan, known)
    try:
        candidate = formats.runner(written.path)
        reference = None if claim else formats.runner(model, arguments=options.source_arguments)
    except (RunError, ModelError) as error:
        return unproven(written, findings, f"not run: {error.message}"), ()
    setup = _setup(source, target, options)
    try:
        if reference is None:
            verification, said = health(candidate, setup)
        else:
            with TemporaryDirectory(prefix="weightbridge-") as folder:
                controls = _controls(target, written, Path(folder), setup.seed)
                exact = _exact(setup, model, written, options, controls)
                verification, said = equality(reference, candidate, exact)
    except RunError as error:
        verification, said = _not_run(error)
    evidence = {**evidence_of(written, known), **verification.evidence}
    return replace(verification, evidence=evidence), said


def prove_pair(
    source: LayerGraph, target: LayerGraph, a: Any, b: Any, plan: Plan, options: Options
) -> tuple[Verification, tuple[Finding, ...]]:
    """`verify A B`: both as they are, every matched layer that one step joins compared too.

    What cannot be run proves nothing: WB504.
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
    joined = [step for step in plan.steps if len(step.sources) == 1]
    pairs = ((source.owner[s.sources[0]].name, target.owner[s.target].name) for s in joined)
    setup = replace(
        _setup(source, target, options),
        precise=lambda: formats.runner(a, "float64", options.source_arguments),
        precise_candidate=lambda: formats.runner(b, "float64", options.target_arguments),
        layers=tuple(dict.fromkeys(pairs)),
    )
    return equality(reference, candidate, setup)


def _setup(source: LayerGraph, target: LayerGraph, options: Options) -> Setup:
    seed = seed_of(source.structure, target.structure)
    return Setup(seed=seed, evidence=options.evidence, samples=options.probe)


def _exact(
    setup: Setup, model: Any, written: Written, options: Options, controls: tuple[Control, ...]
) -> Setup:
    return replace(
        setup,
        precise=lambda: formats.runner(model, "float64", options.source_arguments),
        precise_candidate=lambda: formats.runner(written.path, "float64"),
        controls=controls,
    )


def _controls(target: LayerGraph, written: Written, folder: Path, seed: int) -> tuple[Control, ...]:
    """The target before the transfer, and the plan shuffled among tensors of one shape; each must fail."""
    stored = formats.read(written.path)
    moved = {step.target for step in written.plan.steps if step.sources}
    tensors = {tensor.name: tensor for tensor in stored.tensors if tensor.name in moved}
    return _before_transfer(target, tensors), _shuffled_plan(stored, tensors, folder, seed)


def _before_transfer(target: LayerGraph, tensors: Mapping[str, Tensor]) -> Control:
    name = "target before transfer"
    before = target.tensor_by_name
    if all(before[n].load().tobytes() == tensor.load().tobytes() for n, tensor in tensors.items()):
        return Control(name, reason="the target held these weights already")
    return Control(name, lambda: formats.runner(target.path))


def _shuffled_plan(stored: LayerGraph, tensors: Mapping[str, Tensor], folder: Path, seed: int) -> Control:
    name = "plan shuffled among same-shape tensors"
    mapping = shuffled(((n, tensor.load()) for n, tensor in tensors.items()), seed)
    if not mapping:
        return Control(name, reason="no two tensors of one shape differ")

    def build() -> formats.Runner:
        path = folder / f"shuffled{Path(stored.path).suffix}"
        values = ((tensors[n], tensors[source].load()) for n, source in mapping.items())
        formats.write(stored, path, values)
        return formats.runner(path)

    return Control(name, build)


def _not_run(error: RunError | ModelError) -> tuple[Verification, tuple[Finding, ...]]:
    """What was asked to run and cannot proves nothing."""
    place = f"{error.where}: " if error.where else ""
    reason = f"nothing was compared: {place}{error.message}"
    fix = error.fix or "give models that can be run; `weightbridge check` compares what is stored"
    verification = Verification("none", evidence={"comparisons": 0, "inconclusive": [reason]})
    return verification, (finding("WB504", reason, fix=fix),)
