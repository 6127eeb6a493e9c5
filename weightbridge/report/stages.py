"""The stages of a convolutional target: which convolutions each has, and where they come from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from fractions import Fraction
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.model.vocabulary import FORWARD_CONVOLUTIONS
from weightbridge.plan import Contract, Step
from weightbridge.report.graphs import Located

WORST: tuple[Contract, ...] = ("lossy", "preserving", "bitwise", "fresh", "untouched")


@dataclass(slots=True)
class _Stage:
    """What is known of one stage, while its steps are gone through."""

    targets: dict[str, None] = field(default_factory=dict)
    sources: dict[str, None] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)


def stage_entries(steps: Sequence[Step], source: Located, target: Located) -> list[dict[str, Any]]:
    """One entry for each stage that has a convolution with a source, from fine to coarse."""
    stages: dict[str, _Stage] = {}
    for step in steps:
        layer = target.layer(step.target)
        name = target.stages.get(layer)
        if name is not None and step.sources:
            _add(stages.setdefault(name, _Stage()), step, layer, source, target)
    in_order = sorted(stages, key=lambda name: -Fraction(name))
    return [_entry(name, stages[name], source) for name in in_order if stages[name].targets]


def _add(stage: _Stage, step: Step, layer: str, source: Located, target: Located) -> None:
    stage.steps.append(step)
    if target.ops[layer] in FORWARD_CONVOLUTIONS:
        stage.targets[layer] = None
        stage.sources.update(dict.fromkeys(map(source.layer, step.sources)))


def _entry(name: str, stage: _Stage, source: Located) -> dict[str, Any]:
    targets = list(stage.targets)
    places = {source.stages[layer] for layer in stage.sources if layer in source.stages}
    contracts = {step.contract for step in stage.steps}
    return {
        "stage": name,
        "target": [targets[0], targets[-1]],
        "target_layers": len(targets),
        "source_at": sorted(places, key=lambda place: -Fraction(place)),
        "source_layers": len(stage.sources),
        "parameters": sum(step.size for step in stage.steps),
        "contract": min(contracts, key=WORST.index),
        "energy_kept": _energy(stage.steps),
    }


def _energy(steps: Iterable[Step]) -> float | None:
    """By the number of values; None where that of one step is not known."""
    known: list[tuple[float, int]] = []
    for step in steps:
        if step.energy_kept is None:
            return None
        known.append((step.energy_kept, step.size))
    total = sum(size for _, size in known)
    return sum(kept * size for kept, size in known) / total if total else None


def located_entry(step: Step, source: Located, target: Located) -> Mapping[str, Any]:
    """The layers that a step joins, and the stage of the target's."""
    layer = target.layer(step.target)
    layers = dict.fromkeys(map(source.layer, step.sources))
    return {"layer": layer, "source_layers": list(layers), "stage": target.stages.get(layer)}
