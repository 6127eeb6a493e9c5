"""Activations whose meaning has changed since the source was saved.

A fault only where the target computes today's (WB103).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from weightbridge.errors.diagnostics import Finding, finding, with_severity
from weightbridge.matching.units.effective_attributes import effective
from weightbridge.model.activations import KNOWN, OLD_HARD_SIGMOID
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.plan import Step

ATTRIBUTES = ("activation", "recurrent_activation")
TODAY = "hard_sigmoid"
FORMULAS = "0.2 x + 0.5 when the source was saved, is x / 6 + 0.5 in today's Keras"
FIX = "give the target an activation of its own there: lambda x: keras.ops.clip(0.2 * x + 0.5, 0, 1)"


def is_told_otherwise(given: Any, wanted: Any) -> bool:
    """Whether `changed` says it, or the target has a function of its own, as is the way out."""
    return given == OLD_HARD_SIGMOID and (wanted == TODAY or is_own(wanted))


def is_own(activation: Any) -> bool:
    """Whether an activation is none of Keras's: what it computes is known to its code alone."""
    return isinstance(activation, str) and activation not in KNOWN


def changed(source: LayerGraph, target: LayerGraph, steps: Iterable[Step]) -> tuple[Finding, ...]:
    """WB103 for each target layer that takes the source's older activation for today's.

    A warning where the file does not tell.
    """
    if not with_older_activations(source):
        return ()
    paired = tuple(_pairs(source, target, steps))
    found = [f for a, b in paired for f in _compared(a, b, effective(source, a), effective(target, b))]
    return tuple(found) or tuple(_without_weights(source, target, {a.name for a, _ in paired}))


def with_older_activations(source: LayerGraph) -> frozenset[str]:
    """The layers of which `changed` tells."""
    return frozenset(
        layer.name
        for layer in source.layers
        if OLD_HARD_SIGMOID in (layer.attributes.get(a) for a in ATTRIBUTES)
    )


def _pairs(source: LayerGraph, target: LayerGraph, steps: Iterable[Step]) -> Iterator[tuple[Layer, Layer]]:
    owners, wanted = (
        {t.name: layer for layer in graph.layers for t in layer.tensors} for graph in (source, target)
    )
    names = dict.fromkeys((owners[s].name, wanted[step.target].name) for step in steps for s in step.sources)
    return ((source.by_name[a], target.by_name[b]) for a, b in names)


def _compared(
    given: Layer, wanted: Layer, left: Mapping[str, Any], right: Mapping[str, Any]
) -> Iterator[Finding]:
    for name in ATTRIBUTES:
        if left.get(name) != OLD_HARD_SIGMOID or right.get(name, TODAY) != TODAY:
            continue
        said = finding(
            "WB103",
            f"{wanted.name}: {name} hard_sigmoid, {FORMULAS}",
            source=given.name,
            target=wanted.name,
            fix=FIX,
        )
        yield said if name in right else with_severity(said, "warning")


def _without_weights(source: LayerGraph, target: LayerGraph, paired: set[str]) -> Iterator[Finding]:
    """Activation layers that follow no layer with weights: the first of each side stands for all."""
    given, wanted = (_loose(graph, value) for graph, value in ((source, OLD_HARD_SIGMOID), (target, TODAY)))
    if given and wanted and not paired & set(given):
        yield finding(
            "WB103",
            f"{wanted[0]}: activation hard_sigmoid, {FORMULAS}",
            source=given[0],
            target=wanted[0],
            fix=FIX,
        )


def _loose(graph: LayerGraph, value: Any) -> tuple[str, ...]:
    return tuple(
        layer.name
        for layer in graph.layers
        if not layer.tensors and layer.attributes.get("activation") == value
    )
