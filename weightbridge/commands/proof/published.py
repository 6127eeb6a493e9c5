"""A proof, and what the author's own outputs say, which decide where no reference runs."""

from dataclasses import replace

from weightbridge.errors import ModelError, RunError, UsageError
from weightbridge.errors.diagnostics import Finding
from weightbridge.formats.running import Runner
from weightbridge.report.verification import Verification
from weightbridge.verify import Setup, against_recorded

Proof = tuple[Verification, tuple[Finding, ...]]
ADDED = ("probes", "comparisons", "equal")


def with_recorded(proof: Proof, candidate: Runner, setup: Setup) -> Proof:
    """The proof itself where the probe file has no outputs."""
    try:
        recorded = against_recorded(candidate, setup)
    except (RunError, ModelError, UsageError):
        return proof  # said already: a reference was given the same samples
    if recorded is None:
        return proof
    verification, said = recorded
    before, findings = proof
    if before.mode == "none":
        evidence = {"read_back": before.evidence.get("read_back"), "claim": "equal"}
        evidence |= {"reference": "the outputs in the probe file", **verification.evidence}
        return replace(verification, evidence=evidence), said
    joined = {key: before.evidence[key] + verification.evidence[key] for key in ADDED}
    outputs = (*before.outputs, *verification.outputs)
    evidence = {**before.evidence, **joined, "recorded": verification.evidence["comparisons"]}
    faults = tuple(found for found in said if found.severity == "error")
    return replace(before, outputs=outputs, evidence=evidence), (*findings, *faults)
