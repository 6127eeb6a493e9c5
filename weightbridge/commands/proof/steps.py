"""The proof of a conversion from a quantised model: its own steps are what its outputs are held against."""

from collections.abc import Mapping

from weightbridge.commands.proof.candidates import Candidate
from weightbridge.converting.from_graph.writer import fitting_name
from weightbridge.errors.diagnostics import finding
from weightbridge.formats.running import Grid, Roundable, Rounding, Runner
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan
from weightbridge.report.verification import Verification
from weightbridge.verify import Setup, equality_in_steps
from weightbridge.verify.rounded import Proof


def proven_in_steps(
    reference: Rounding, candidate: Runner, setup: Setup, source: LayerGraph, plan: Plan, stored: Candidate
) -> Proof:
    """Raises RunError. WB504 where the target cannot be made to round as the source does."""
    if not isinstance(candidate, Roundable):
        reason = "nothing was compared: the source rounds its data, and the target cannot be made to"
        fix = "Give the model as it was before it was quantised"
        evidence = {"comparisons": 0, "inconclusive": [reason]}
        return Verification("none", evidence=evidence), (finding("WB504", reason, fix=fix),)
    told = dict(reference.grids)
    grids = grids_of(source, stored.stored, plan, told)
    inputs = zip(reference.inputs, candidate.inputs, strict=False)
    grids |= {own.name: told[spec.name] for spec, own in inputs if spec.name in told}
    layers = (port.layer for port in source.output_ports)
    outputs = dict(zip(reference.outputs, layers, strict=False))
    steps = {name: told[layer].step if layer in told else 0.0 for name, layer in outputs.items()}
    return equality_in_steps(reference, candidate, setup, grids, steps)


def grids_of(source: LayerGraph, target: LayerGraph, plan: Plan, told: Mapping[str, Grid]) -> dict[str, Grid]:
    """By the target's layers. A layer that is part of another one now (an activation) tells that one's."""
    places = _places(source, target, plan)
    grids: dict[str, Grid] = {}
    for layer in source.layers:
        name = layer.name
        while name not in places and len(source.parents[name]) == 1:
            name = source.parents[name][0]
        if layer.name in told and name in places:
            grids[places[name]] = told[layer.name]
    return grids


def _places(source: LayerGraph, target: LayerGraph, plan: Plan) -> dict[str, str]:
    """By the source's layers the target's: those with the same weights, else of the same name."""
    names = {layer.name for layer in target.layers}
    places = {layer.name: fit for layer in source.layers if (fit := fitting_name(layer.name)) in names}
    for step in plan.steps:
        for tensor in step.sources[:1]:
            if tensor in source.owner and step.target in target.owner:
                places[source.owner[tensor].name] = target.owner[step.target].name
    return places
