"""A BatchNorm that the target's exporter has folded away: its scale goes into the kernel before it, its shift
into the bias.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from weightbridge.diagnostics import Finding, finding
from weightbridge.matching.confidence import ASSUMED, CERTAIN
from weightbridge.matching.context import Context
from weightbridge.matching.joining.folded_norms import assumed, epsilon_of
from weightbridge.matching.pairing.by_norm_owner import homes
from weightbridge.matching.units.units import Unit
from weightbridge.matching.values import LayerPair, Match
from weightbridge.model.layouts import split
from weightbridge.model.tensors import Tensor
from weightbridge.model.vectors import vector_pattern
from weightbridge.model.vocabulary import SINGLE_KERNEL_CONVOLUTIONS

FOLDED = SINGLE_KERNEL_CONVOLUTIONS | {"Dense", "Linear"}
WRITTEN = frozenset({"o", "(c m)", "c"})  # what a kernel writes: channels out, each with a scale of its own
STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")


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
        given, wanted = context.source.by_name[pair.source], context.target.by_name[pair.target]
        if given.layer.op == "BatchNorm" != wanted.layer.op:
            made = _written_out(context, pair, given, wanted)
            matches += made
            findings += [_said_out(context, given, wanted)] if made else []
            continue
        norm, confidence = behind.get(given.name, (None, 0.0)) if given.family in FOLDED else (None, 0.0)
        if norm is None:
            continue
        note = assumed(norm, context.source.graph)
        sure = replace(pair, confidence=min(pair.confidence, confidence, ASSUMED if note else CERTAIN))
        made = _folded(sure, given, wanted, norm, plain, epsilon_of(norm, context.source.graph))
        matches += made
        findings += [_said(norm, wanted, note)] if made else []
    return tuple(matches), tuple(findings)


def _written_out(context: Context, pair: LayerPair, norm: Unit, wanted: Unit) -> tuple[Match, ...]:
    """The values of a product and a sum that are what is left of the BatchNorm."""
    plain = [m.op for m in wanted.members if not m.attributes.get("is_inverse")]
    if plain != ["Scale", "Shift"] or "moving_variance" not in norm.roles:
        return ()
    note = assumed(norm, context.source.graph)
    sure = replace(pair, confidence=min(pair.confidence, ASSUMED)) if note else pair
    epsilon = epsilon_of(norm, context.source.graph)
    scale, shift = (tensor for _, tensor in wanted.tensors)
    given = {r: norm.roles[r] for r in STATISTICS if r in norm.roles}
    spread = {r: t for r, t in given.items() if r in ("gamma", "moving_variance")}
    made = [(scale, spread, {"value": "scale"}), (shift, given, {})]
    patterns = [vector_pattern(norm.roles["moving_variance"].shape, tensor.shape) for tensor, _, _ in made]
    extras = [
        {**more, "pattern": p} if p else more for (_, _, more), (p, _) in zip(made, patterns, strict=True)
    ]
    return tuple(
        _match(t, sure, sources, {"epsilon": epsilon, **more})
        for (t, sources, _), more in zip(made, extras, strict=True)
    )


def _norms_behind(context: Context) -> Mapping[str, tuple[Unit, float]]:
    """Layer -> the open BatchNorm that alone reads it (whose home it is, where the source has no data flow),
    and how sure that is.
    """
    units = context.source.by_name
    if context.source.graph.has_flow:
        alone = ((name, reading[0]) for name, reading in context.source.children.items() if len(reading) == 1)
        found = {name: (units[norm], 1.0) for name, norm in alone}
    else:
        found = {
            home.layer: (units[name], home.confidence) for name, home in homes(context).items() if home.layer
        }
    return {layer: (norm, sure) for layer, (norm, sure) in found.items() if _is_whole(context, norm)}


def _is_whole(context: Context, norm: Unit) -> bool:
    is_open = norm.layer.op == "BatchNorm" and norm.name not in context.taken
    return is_open and {"moving_mean", "moving_variance"} <= norm.roles.keys()


def _folded(
    pair: LayerPair, given: Unit, wanted: Unit, norm: Unit, plain: Mapping[str, Match], epsilon: float
) -> tuple[Match, ...]:
    kernel, bias = wanted.roles.get("kernel"), wanted.roles.get("bias")
    match = plain.get(kernel.name) if kernel is not None else None
    width = norm.roles["moving_variance"].size
    if kernel is None or bias is None or match is None or bias.size != width or len(match.sources) != 1:
        return ()
    axis = _output_axis(match, given.roles["kernel"], kernel, width)
    if axis is None:
        return ()
    scale = {r: norm.roles[r] for r in ("gamma", "moving_variance") if r in norm.roles}
    shift = {r: norm.roles[r] for r in STATISTICS if r in norm.roles}
    own = {"bias": given.roles["bias"]} if "bias" in given.roles else {}
    extra = {"pattern": match.transform, **match.parameters} if match.transform else {}
    kernels = _match(
        kernel, pair, {"kernel": given.roles["kernel"], **scale}, {"epsilon": epsilon, "axis": axis, **extra}
    )
    return kernels, _match(bias, pair, {**own, **shift}, {"epsilon": epsilon})


def _output_axis(match: Match, given: Tensor, wanted: Tensor, width: int) -> int | None:
    """The axis of the source's kernel that is written, None where it is not plain."""
    if given.size != wanted.size or (match.transform and "->" not in match.transform):
        return None
    names = split(given.axes) or ("o",) * len(given.shape)  # of unknown axes the first that is as long
    axes = (n for n, name in enumerate(names) if name in WRITTEN and given.shape[n] == width)
    return next(axes, None)


def _match(
    tensor: Tensor, pair: LayerPair, sources: Mapping[str, Tensor], parameters: dict[str, Any]
) -> Match:
    names = tuple(t.name for t in sources.values())
    made = Match(
        tensor.name,
        names,
        "fold-batchnorm",
        {"roles": list(sources), **parameters},
        True,
        pair.confidence,
        pair.evidence,
    )
    return replace(made, evidence=(*made.evidence, "folded"))


def _said_out(context: Context, norm: Unit, wanted: Unit) -> Finding:
    message = f"{norm.name}: the target has it written out as a product and a sum{assumed(norm, context.source.graph)}"
    return finding("WB305", message, source=norm.name, target=wanted.name, fix="nothing to do for inference")


def _said(norm: Unit, wanted: Unit, note: str) -> Finding:
    message = f"{norm.name}: the target has it folded into {wanted.name}; its scale goes into the kernel, its shift into the bias{note}"
    return finding("WB305", message, source=norm.name, target=wanted.name, fix="nothing to do for inference")
