"""A BatchNorm that the target's exporter has folded away.

Its scale goes into the kernel before it, its shift into the bias.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.matching.confidence import ASSUMED, CERTAIN
from weightbridge.matching.context import Context
from weightbridge.matching.joining.folded_norms import assumed, epsilon_of
from weightbridge.matching.units.units import Unit
from weightbridge.matching.values import LayerPair, Match
from weightbridge.model.layouts import split
from weightbridge.model.tensors import Tensor
from weightbridge.model.vectors import vector_pattern
from weightbridge.model.vocabulary import SINGLE_KERNEL_CONVOLUTIONS

FOLDED = SINGLE_KERNEL_CONVOLUTIONS | {"Dense", "Linear"}
WRITTEN = frozenset({"o", "(c m)", "c"})  # what a kernel writes: channels out, each with a scale of its own
STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")
FIX = "nothing to do for inference"


@dataclass(frozen=True, slots=True)
class Norm:
    """A BatchNorm with the epsilon that it has, or is assumed to have."""

    unit: Unit
    epsilon: float


def fold_into_targets(
    context: Context, plain: Mapping[str, Match]
) -> tuple[tuple[Match, ...], tuple[Finding, ...]]:
    """Matches for kernel and bias of every exported target layer whose source has a BatchNorm behind it that
    nothing else uses.
    """
    if context.target.graph.framework != "onnx":
        return (), ()
    matches: list[Match] = []
    findings: list[Finding] = []
    behind = _norms_behind(context)
    for pair in context.pairs.values():
        source, target = context.source.by_name[pair.source], context.target.by_name[pair.target]
        if source.layer.op == "BatchNorm" != target.layer.op:
            folded, said = _written_out(context, pair, source, target), _said_out(context, source, target)
        elif source.family in FOLDED and source.name in behind:
            folded, said = _into_layer(context, pair, behind[source.name], plain)
        else:
            continue
        matches += folded
        findings += [said] if folded else []
    return tuple(matches), tuple(findings)


def _into_layer(
    context: Context, pair: LayerPair, behind: tuple[Unit, float], plain: Mapping[str, Match]
) -> tuple[tuple[Match, ...], Finding]:
    """The layer's kernel and bias with the norm behind it taken in."""
    norm, confidence = behind
    source, target = context.source.by_name[pair.source], context.target.by_name[pair.target]
    note = assumed(norm, context.source.graph)
    sure = min(pair.confidence, confidence, ASSUMED if note else CERTAIN)
    epsilon = epsilon_of(norm, context.source.graph)
    folded = _folded(replace(pair, confidence=sure), source, target, Norm(norm, epsilon), plain)
    return folded, _said(norm, target, note)


def _written_out(context: Context, pair: LayerPair, norm: Unit, target: Unit) -> tuple[Match, ...]:
    """The values of a product and a sum that are what is left of the BatchNorm."""
    plain = [m.op for m in target.members if not m.attributes.get("is_inverse")]
    if plain != ["Scale", "Shift"] or "moving_variance" not in norm.roles:
        return ()
    is_assumed = bool(assumed(norm, context.source.graph))
    sure = replace(pair, confidence=min(pair.confidence, ASSUMED)) if is_assumed else pair
    epsilon = {"epsilon": epsilon_of(norm, context.source.graph)}
    scale, shift = (tensor for _, tensor in target.tensors)
    return (
        _match(scale, sure, _spread(norm), {**epsilon, "value": "scale", **_as_long(norm, scale)}),
        _match(shift, sure, _statistics(norm), {**epsilon, **_as_long(norm, shift)}),
    )


def _as_long(norm: Unit, tensor: Tensor) -> dict[str, str]:
    """The pattern of a vector of the norm's as this tensor keeps it, with axes of length one."""
    pattern, _ = vector_pattern(norm.roles["moving_variance"].shape, tensor.shape)
    return {"pattern": pattern} if pattern else {}


def _statistics(norm: Unit) -> dict[str, Tensor]:
    return {role: norm.roles[role] for role in STATISTICS if role in norm.roles}


def _spread(norm: Unit) -> dict[str, Tensor]:
    """What scales: gamma and the variance."""
    return {
        role: tensor for role, tensor in _statistics(norm).items() if role in ("gamma", "moving_variance")
    }


def _norms_behind(context: Context) -> Mapping[str, tuple[Unit, float]]:
    """Layer -> the open BatchNorm that belongs to it and alone reads it, and how sure that is."""
    has_flow = context.source.graph.has_flow
    behind = {}
    for name, owner in context.norm_owners.source.items():
        norm = context.source.by_name[name]
        is_alone = not has_flow or context.source.children.get(owner.layer) == (name,)
        if owner.layer and is_alone and _is_whole(context, norm):
            behind[owner.layer] = (norm, owner.confidence)
    return behind


def _is_whole(context: Context, norm: Unit) -> bool:
    is_open = norm.layer.op == "BatchNorm" and norm.name not in context.taken
    return is_open and {"moving_mean", "moving_variance"} <= norm.roles.keys()


def _folded(
    pair: LayerPair, source: Unit, target: Unit, norm: Norm, plain: Mapping[str, Match]
) -> tuple[Match, ...]:
    kernel, bias = target.roles.get("kernel"), target.roles.get("bias")
    match = plain.get(kernel.name) if kernel is not None else None
    width = norm.unit.roles["moving_variance"].size
    if kernel is None or bias is None or match is None or bias.size != width or len(match.sources) != 1:
        return ()
    given = source.roles["kernel"]
    axis = _output_axis(match, given, kernel, width)
    if axis is None:
        return ()
    epsilon = {"epsilon": norm.epsilon}
    layout = {"pattern": match.transform, **match.parameters} if match.transform else {}
    of_kernel = {"kernel": given, **_spread(norm.unit)}
    of_bias = {"bias": source.roles["bias"]} if "bias" in source.roles else {}
    return (
        _match(kernel, pair, of_kernel, {**epsilon, "axis": axis, **layout}),
        _match(bias, pair, {**of_bias, **_statistics(norm.unit)}, epsilon),
    )


def _output_axis(match: Match, given: Tensor, wanted: Tensor, width: int) -> int | None:
    """The axis of the source's kernel that is written, None where it is not plain."""
    if given.size != wanted.size or (match.transform and "->" not in match.transform):
        return None
    names = split(given.axes) or ("o",) * len(given.shape)  # of unknown axes the first that is as long
    axes = (n for n, name in enumerate(names) if name in WRITTEN and given.shape[n] == width)
    return next(axes, None)


def _match(
    tensor: Tensor, pair: LayerPair, sources: Mapping[str, Tensor], parameters: Mapping[str, Any]
) -> Match:
    return Match(
        tensor.name,
        tuple(t.name for t in sources.values()),
        "fold-batchnorm",
        {"roles": list(sources), **parameters},
        True,
        pair.confidence,
        (*pair.evidence, "folded"),
    )


def _said_out(context: Context, norm: Unit, target: Unit) -> Finding:
    note = assumed(norm, context.source.graph)
    message = f"{norm.name}: the target has it written out as a product and a sum{note}"
    return finding("WB305", message, source=norm.name, target=target.name, fix=FIX)


def _said(norm: Unit, target: Unit, note: str) -> Finding:
    message = (
        f"{norm.name}: the target has it folded into {target.name}; "
        f"its scale goes into the kernel, its shift into the bias{note}"
    )
    return finding("WB305", message, source=norm.name, target=target.name, fix=FIX)
