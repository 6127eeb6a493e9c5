"""Heads across architectures: those of equal classes are taken over, exactly where shapes allow."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from weightbridge.adapters.propose.groups import channel_groups
from weightbridge.adapters.propose.heads import WRITERS, head_finding, is_head
from weightbridge.adapters.propose.setting import Setting
from weightbridge.errors.diagnostics import Finding
from weightbridge.model.graph import Layer, LayerGraph


@dataclass(frozen=True, slots=True)
class CrossHeads:
    """pairs: source head by target head. exact: tensors whose match stays. fresh: tensors left alone.

    findings: why these are left fresh.
    """

    pairs: Mapping[str, Layer]
    exact: frozenset[str]
    fresh: frozenset[str]
    findings: tuple[Finding, ...]


def cross_heads(setting: Setting, told: Collection[str]) -> CrossHeads:
    """Heads in the order of the outputs' writers; those of other classes stay fresh, unless one was told."""
    pairs: dict[str, Layer] = {}
    fresh: list[str] = []
    findings: list[Finding] = []
    for ours, theirs in zip(_heads(setting.target), _heads(setting.source), strict=False):
        before, after = _classes(theirs), _classes(ours)
        if ours.name in told:
            continue
        if before == after:
            pairs[ours.name] = theirs
        else:
            fresh += [tensor.name for tensor in ours.tensors]
            findings.append(head_finding(ours.name, theirs.name, before, after))
    return CrossHeads(pairs, _exact(setting, pairs), frozenset(fresh), tuple(findings))


def _exact(setting: Setting, heads: Iterable[str]) -> frozenset[str]:
    """The tensors of these heads that match exactly."""
    tensors = (t.name for name in heads for t in setting.target.by_name[name].tensors)
    return frozenset(name for name in tensors if name in setting.matches)


def _heads(graph: LayerGraph) -> Iterator[Layer]:
    groups = channel_groups(graph)
    for layer in graph.layers:
        axis = groups.written.get(layer.name)
        if layer.op not in WRITERS or not layer.tensors or not axis:
            continue
        leaving = groups.leaving.intersection(axis.parts)
        if any(is_head(graph, groups, group) for group in sorted(leaving)):
            yield layer


def _classes(layer: Layer) -> int:
    size = layer.attributes.get("units") or layer.attributes.get("filters")
    if size:
        return int(size)
    tensor = layer.tensor("bias") or layer.tensor("kernel")
    return tensor.shape[-1] if tensor else 0
