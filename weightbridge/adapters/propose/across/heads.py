"""Heads across architectures: of equal classes they are taken over, exactly where shapes allow; of other
classes they stay fresh.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weightbridge.adapters.propose.groups import channel_groups
from weightbridge.adapters.propose.heads import WRITERS, head_finding, is_head
from weightbridge.adapters.propose.setting import Setting
from weightbridge.diagnostics import Finding
from weightbridge.model.graph import Layer, LayerGraph


@dataclass(frozen=True, slots=True)
class CrossHeads:
    """pairs: source head by target head; exact: tensors whose match stays; fresh: tensors left alone;
    findings: why.
    """

    pairs: Mapping[str, Layer]
    exact: frozenset[str]
    fresh: frozenset[str]
    findings: tuple[Finding, ...]


def cross_heads(setting: Setting) -> CrossHeads:
    pairs: dict[str, Layer] = {}
    fresh: list[str] = []
    findings: list[Finding] = []
    for ours, theirs in zip(_heads(setting.target), _heads(setting.source), strict=False):
        n, m = (_classes(layer) for layer in (theirs, ours))
        if n == m:
            pairs[ours.name] = theirs
        else:
            fresh += [t.name for t in ours.tensors]
            findings.append(head_finding(ours.name, theirs.name, n, m))
    exact = {
        t.name for name in pairs for t in setting.target.by_name[name].tensors if t.name in setting.matches
    }
    return CrossHeads(pairs, frozenset(exact), frozenset(fresh), tuple(findings))


def _heads(graph: LayerGraph) -> Iterator[Layer]:
    groups = channel_groups(graph)
    for layer in graph.layers:
        axis = groups.written.get(layer.name)
        if (
            layer.op in WRITERS
            and layer.tensors
            and axis
            and any(g in groups.leaving and is_head(graph, groups, g) for g in axis.parts)
        ):
            yield layer


def _classes(layer: Layer) -> int:
    bias, kernel = layer.tensor("bias"), layer.tensor("kernel")
    size = layer.attributes.get("units") or layer.attributes.get("filters")
    return int(size or (bias.shape[-1] if bias else kernel.shape[-1] if kernel else 0))
