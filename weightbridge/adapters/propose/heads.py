"""Heads: the layers that write the model's output.

Where class counts differ they are left fresh, never cropped; said as WB303.
"""

from collections.abc import Iterator

from weightbridge.adapters.propose.groups import Groups
from weightbridge.adapters.propose.layer_channels import activation_of
from weightbridge.adapters.propose.setting import Setting
from weightbridge.adapters.propose.widths import Widths
from weightbridge.boundary.shell import option
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import COPIES, DENSE, POOLS, RESHAPES

WRITERS = DENSE | {"Conv"}
FINAL = frozenset(
    {"None", "linear", "softmax", "sigmoid", "log_softmax", "tanh", "softplus"}
)  # of outputs; features leave through a ReLU
SHAPING = RESHAPES | POOLS | COPIES | {"Activation", "Concat", "Dropout", "Resize"}


def replaced_heads(setting: Setting, widths: Widths) -> frozenset[int]:
    """The groups of outputs whose width differs, where a head writes them (features that leave a model are no
    head).
    """
    groups = setting.groups
    other = (g for g in groups.leaving if widths.source.get(g, groups.sizes[g]) != groups.sizes[g])
    return frozenset(g for g in other if is_head(setting.target, groups, g))


def is_head(graph: LayerGraph, groups: Groups, group: int) -> bool:
    """One plain writer, then nothing but shaping and a final activation."""
    touching = [layer for layer in graph.layers if _writes(groups, layer, group)]
    writers = [layer for layer in touching if layer.op in WRITERS]
    others = [layer for layer in touching if layer.op not in WRITERS]
    return (
        bool(writers)
        and all(_is_final(w) for w in writers)
        and all(o.op in SHAPING and _is_final(o) for o in others)
    )


def _writes(groups: Groups, layer: Layer, group: int) -> bool:
    axis = groups.written.get(layer.name)
    return axis is not None and group in axis.parts


def _is_final(layer: Layer) -> bool:
    return activation_of(layer) in FINAL


def head_layers(setting: Setting, heads: frozenset[int]) -> Iterator[Layer]:
    for layer in setting.target.layers:
        if layer.op in WRITERS and layer.tensors and any(_writes(setting.groups, layer, g) for g in heads):
            yield layer


def head_findings(setting: Setting, widths: Widths, heads: frozenset[int]) -> Iterator[Finding]:
    for layer in head_layers(setting, heads):
        group = next(g for g in setting.groups.written[layer.name].parts if g in heads)
        pair = setting.pairs.get(layer.name)
        yield head_finding(
            layer.name, pair.source if pair else "", widths.source[group], setting.groups.sizes[group]
        )


def head_finding(layer: str, source: str, n: int, m: int) -> Finding:
    hint = "; one of them may be a background class" if abs(n - m) == 1 else ""
    text = f"{layer}: the source has {n} classes, the target {m}{hint}: the head is left fresh, never cropped"
    return finding(
        "WB303",
        text,
        source=source,
        target=layer,
        fix=f"Train it on the target's classes, or declare it: {option('--fresh', layer)}",
    )
