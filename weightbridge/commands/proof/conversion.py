"""The proof of a conversion: what the model computed when it was saved, against what OUTPUT computes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.commands.proof.as_saved import Reference, as_saved, keras_of, single
from weightbridge.commands.proof.candidates import Candidate, controls, written_candidate
from weightbridge.commands.proof.claims import rounds_data, unproven
from weightbridge.commands.proof.constant import Sides, where_outputs_say_nothing
from weightbridge.commands.proof.published import with_recorded
from weightbridge.commands.proof.steps import proven_in_steps
from weightbridge.commands.stages.modules import Given
from weightbridge.commands.stages.prepared import Prepared
from weightbridge.errors import ModelError, RunError, UsageError
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.running import Rounding, Runner
from weightbridge.model.graph import LayerGraph
from weightbridge.report.verification import Verification
from weightbridge.transfer.write import Written
from weightbridge.verify import Setup, equality, seed_of

BY_TF_KERAS = 'install tf_keras (pip install "weightbridge-toolkit[legacy]"), or say --no-verify'
EXPORT_AGAIN = "export the model again, so that its runtime can run it, or say --no-verify"
Proof = tuple[Verification, tuple[Finding, ...]]
RUNTIMES = {
    "onnx": "onnxruntime",
    "tflite": "TFLite's interpreter",
    "saved-model": "TensorFlow",
    "tf-graph": "TensorFlow",
}


def proven(
    given: Given,
    prepared: Prepared,
    written: Written,
    options: Options,
    read: Callable[[Path], LayerGraph] = formats.read,
) -> Proof:
    """Verification of what was written; read: by what it is read.

    Where nothing can run what the model computed when it was saved, nothing is proven (WB504).
    """
    with TemporaryDirectory(prefix="weightbridge-") as folder:
        candidate = written_candidate(prepared.target, written.path, Path(folder), read)
        try:
            runner = candidate.build("float32")
        except (RunError, ModelError) as error:
            return _refused(written, error)
        proof = _against_references(given, prepared, written, candidate, runner, options)
        if options.probe is None or options.input_layout == "nchw":
            return proof
        setup = replace(_setup(prepared, written, candidate, candidate.build, options), precise=None)
        return with_recorded(proof, runner, setup)


def _against_references(
    given: Given,
    prepared: Prepared,
    written: Written,
    candidate: Candidate,
    runner: Runner,
    options: Options,
) -> Proof:
    """The first reference that runs decides."""
    reasons = []
    for name, build in references(given, prepared.source, options.architecture):
        try:
            setup = _setup(prepared, written, candidate, build, options)
            reference = build("float32")
            if rounds := rounds_data(written.plan):
                if not isinstance(reference, Rounding):  # nothing tells its steps
                    return unproven(written, (), rounds), ()
                proof = proven_in_steps(reference, runner, setup, prepared.source, written.plan, candidate)
                return _in_steps(proof, written, name)
            proof = equality(reference, runner, setup)
            sides = Sides(
                (_divided(given, reference), runner), (prepared.source, candidate.stored), written.plan
            )
            verification, said = where_outputs_say_nothing(proof, sides, setup, candidate)
        except (RunError, ModelError, UsageError) as error:
            reasons.append(f"{name}: {error.message}")
            continue
        evidence = {"read_back": written.read_back, "claim": "equal", "reference": name}
        return replace(verification, evidence={**evidence, **verification.evidence}), said
    is_keras = prepared.source.framework == "keras"
    return _not_compared(written, reasons, BY_TF_KERAS if is_keras else EXPORT_AGAIN)


def _in_steps(proof: Proof, written: Written, name: str) -> Proof:
    verification, said = proof
    evidence = {"read_back": written.read_back, "claim": "equal but for rounding", "reference": name}
    return replace(verification, evidence={**evidence, **verification.evidence}), said


def _divided(given: Given, reference: Runner) -> Runner:
    """What shows the layers: of a torch module the file that it was exported to, where that can be run."""
    if given.reference is None:
        return reference
    try:
        return formats.runner(given.model)
    except UsageError:  # without onnxruntime
        return reference


def references(given: Given, source: LayerGraph, architecture: Path | None) -> Iterator[Reference]:
    """What can compute what the model did when it was saved, the nearest to that first."""
    model = given.model
    if given.reference is not None:
        yield "torch", given.reference
        return
    if source.framework != "keras":
        runtime = RUNTIMES.get(source.format, source.format)
        yield runtime, lambda dtype: formats.runner(model, dtype)
        yield f"{runtime} in float32", lambda dtype: single(model, dtype)
        return
    if keras_of(source) >= (3,):
        yield "keras", lambda dtype: formats.runner(model, dtype)
        return
    yield from as_saved(Path(model), source, architecture)


def _setup(
    prepared: Prepared,
    written: Written,
    candidate: Candidate,
    build: Callable[[str], Runner],
    options: Options,
) -> Setup:
    seed = seed_of(prepared.source.structure, prepared.target.structure)
    moved = frozenset(step.target for step in written.plan.steps if step.sources or step.kind == "keep")
    return Setup(
        seed=seed,
        evidence=options.evidence,
        samples=options.probe,
        precise=lambda: build("float64"),
        precise_candidate=lambda: candidate.build("float64"),
        controls=controls(candidate, moved, seed),
        all_layers=False,
        nbytes=sum(tensor.nbytes for tensor in prepared.target.tensors),
        is_one_layout=prepared.source.framework == prepared.target.framework,
    )


def _refused(written: Written, error: RunError | ModelError) -> Proof:
    """WB107: a file that cannot be loaded is no conversion."""
    message = f"what was written cannot be loaded: {error.message}"
    fix = "please report this with the file: it is a fault of weightbridge"
    evidence = {"read_back": written.read_back, "comparisons": 0}
    return Verification("none", evidence=evidence), (finding("WB107", message, fix=fix),)


def _not_compared(written: Written, reasons: list[str], fix: str) -> Proof:
    reason = f"nothing was compared: {'; '.join(reasons) or 'nothing here runs what the model was'}"
    evidence = {"read_back": written.read_back, "comparisons": 0, "inconclusive": [reason]}
    return Verification("none", evidence=evidence), (finding("WB504", reason, fix=fix),)
