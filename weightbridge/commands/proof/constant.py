"""Proof of a model whose outputs are the same for every input: its layers, one by one."""

from dataclasses import dataclass, replace

from weightbridge.commands.proof.candidates import Candidate, controls
from weightbridge.commands.proof.layerwise import Layerwise, layer_by_layer
from weightbridge.errors.diagnostics import Finding
from weightbridge.formats.running import Runner
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan
from weightbridge.report.verification import Verification
from weightbridge.verify import Setup

Proof = tuple[Verification, tuple[Finding, ...]]


@dataclass(frozen=True, slots=True)
class Sides:
    """Reference and candidate as they run and as graphs, and the plan that joins their layers."""

    runners: tuple[Runner, Runner]
    graphs: tuple[LayerGraph, LayerGraph]
    plan: Plan


def where_outputs_say_nothing(proof: Proof, sides: Sides, setup: Setup, candidate: Candidate) -> Proof:
    """The proof itself, unless all that it lacks is an output that depends on its inputs.

    Outputs agree then, and every layer with weights must agree where it is fed random inputs.
    """
    verification, said = proof
    if {found.code for found in said} != {"WB503"} or not verification.evidence.get("constant"):
        return proof
    layerwise = _layerwise(sides, setup, candidate)
    evidence = {**verification.evidence, **(layerwise.evidence or {})}
    if layerwise.findings:
        return replace(verification, layers=layerwise.entries, evidence=evidence), layerwise.findings
    if not layerwise.complete:
        return _with_strength(proof, layerwise)
    evidence["inconclusive"] = []
    return replace(verification, layers=layerwise.entries, evidence=evidence), ()


def _layerwise(sides: Sides, setup: Setup, candidate: Candidate) -> Layerwise:
    moved = frozenset(step.target for step in sides.plan.steps if step.sources)
    return layer_by_layer(
        sides.runners,
        sides.graphs,
        sides.plan,
        (),
        setup,
        lambda names: controls(candidate, moved & names, setup.seed),
    )


def _with_strength(proof: Proof, layerwise: Layerwise) -> Proof:
    """How many layers agree, behind what is said already."""
    verification, said = proof
    if not layerwise.evidence:
        return proof
    more = f"; {layerwise.evidence['strength']}"
    return verification, tuple(replace(found, message=f"{found.message}{more}") for found in said)
