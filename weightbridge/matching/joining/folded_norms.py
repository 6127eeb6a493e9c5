"""BatchNorms that the source's exporter folded into a neighbour, or left as per-channel affine nodes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import Any

from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.matching.confidence import ASSUMED
from weightbridge.matching.context import Context
from weightbridge.matching.units.units import Unit
from weightbridge.matching.values import LayerPair, Match
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import AFFINE

NEUTRAL = {"moving_mean": "mean 0", "moving_variance": "variance 1"}
DEFAULT_EPSILON = {"keras": 1e-3, "torch": 1e-5, "onnx": 1e-5}  # where files of weights alone do not keep it
# operation of Scale and Shift -> what it does, plainly and where the node is its inverse
OPERATIONS = {"Scale": ("multiply", "divide"), "Shift": ("add", "subtract")}


def fold_batchnorms(context: Context) -> tuple[tuple[Match, ...], tuple[Finding, ...]]:
    """Matches for every target BatchNorm whose source is folded into the layer before it, or stands as affine
    nodes.
    """
    matches: list[Match] = []
    findings: list[Finding] = []
    for unit in context.target.units:
        if unit.layer.op != "BatchNorm":
            continue
        is_paired = unit.name in context.pairs
        folded = _from_affine(context, unit) if is_paired else _from_neighbour(context, unit)
        matches += folded
        findings += [_said(context, unit, folded)] if folded else []
    return tuple(matches), tuple(findings)


def _said(context: Context, unit: Unit, folded: Sequence[Match]) -> Finding:
    is_affine = unit.name in context.pairs
    tensors = context.target.graph.tensor_by_name
    filled = [tensors[match.target].role for match in folded if match.transform == "affine"]
    how = (
        f"its affine nodes give {' and '.join(filled)}"
        if is_affine
        else "the folded kernel and bias stay whole"
    )
    neutral = [text for role, text in NEUTRAL.items() if not is_affine or role not in filled]
    statistics = f", the statistics are {' and '.join(neutral)}" if neutral else ""
    note = assumed(unit, context.target.graph)
    return finding(
        "WB305",
        f"{unit.name}: the source's BatchNorm is folded by its exporter; {how}{statistics}{note}",
        source=next((source for match in folded for source in match.sources), ""),
        target=unit.name,
        fix="nothing to do for inference; fine-tuning starts with these statistics",
    )


def _from_neighbour(context: Context, unit: Unit) -> list[Match]:
    """The layer before it took the BatchNorm in.

    Identity statistics, its bias in beta where the target's layer has none.
    """
    pair = _pair_of_owner(context, unit)
    if pair is None:
        return []
    source, before = context.source.by_name[pair.source], context.target.by_name[pair.target]
    bias = source.roles.get("bias")
    if bias is None or bias.size != _size(unit):
        return []
    is_moved = "bias" not in before.roles
    is_exported = context.source.graph.framework == "onnx"
    if not (is_moved or is_exported):
        return []
    if assumed(unit, context.target.graph):
        pair = replace(pair, confidence=min(pair.confidence, ASSUMED))
    return _identity(unit, pair, bias if is_moved else None, epsilon_of(unit, context.target.graph))


def _pair_of_owner(context: Context, unit: Unit) -> LayerPair | None:
    """The pair of the layer that the BatchNorm belongs to, no surer than that it does."""
    owner = context.norm_owners.target.get(unit.name)
    pair = context.pairs.get(owner.layer) if owner is not None else None
    if owner is None or pair is None:
        return None
    return replace(pair, confidence=min(pair.confidence, owner.confidence))


def epsilon_of(unit: Unit, graph: LayerGraph) -> float:
    """The BatchNorm's epsilon; the default of its framework where the file keeps weights alone."""
    return float(unit.layer.attributes.get("epsilon", DEFAULT_EPSILON.get(graph.framework, 1e-5)))


def assumed(unit: Unit, graph: LayerGraph) -> str:
    """What is to be said where the epsilon is not in the file."""
    return (
        ""
        if "epsilon" in unit.layer.attributes
        else f"; its epsilon is not in the file, {epsilon_of(unit, graph):g} is assumed"
    )


def _identity(unit: Unit, pair: LayerPair, bias: Tensor | None, epsilon: float) -> list[Match]:
    """gamma = sqrt(1 + eps), beta = bias or 0, mean 0, variance 1.

    The identity, whichever of gamma and beta the layer has.
    """
    roles = unit.roles
    values = {
        "gamma": sqrt(1 + epsilon),
        "beta": 0.0,
        "moving_mean": 0.0,
        "moving_variance": 1.0 if "gamma" in roles else 1 - epsilon,
    }
    as_mean = {"value": "mean", "ops": ["shift"], "epsilon": epsilon}
    matches = []
    for role, tensor in roles.items():
        if bias is not None and role == "beta":
            matches.append(_match(tensor, pair, (bias.name,), "", {}))
        elif bias is not None and role == "moving_mean" and "beta" not in roles:
            matches.append(_match(tensor, pair, (bias.name,), "affine", as_mean))
        else:
            matches.append(constant_match(tensor, pair, values[role]))
    return matches


def _from_affine(context: Context, unit: Unit) -> list[Match]:
    """A chain of per-channel multiplications and additions as one BatchNorm."""
    pair = context.pairs[unit.name]
    chain = context.source.by_name[pair.source]
    if chain.layer.op not in AFFINE or _is_cut(context.source.graph, chain):
        return []
    names = tuple(tensor.name for _, tensor in chain.tensors)
    operations = [_operation(chain, tensor) for _, tensor in chain.tensors]
    folded = {"ops": operations, "epsilon": epsilon_of(unit, context.target.graph)}
    values = _affine_values(unit)
    matches = []
    for role, tensor in unit.roles.items():
        if role in values:
            matches.append(_match(tensor, pair, names, "affine", {"value": values[role], **folded}))
        else:
            matches.append(constant_match(tensor, pair, float(role == "moving_variance")))
    return matches


def _affine_values(unit: Unit) -> dict[str, str]:
    """Which tensors hold the scale and the shift: the statistics where there is no gamma or no beta."""
    scale = {"gamma": "scale"} if "gamma" in unit.roles else {"moving_variance": "variance"}
    shift = {"beta": "shift"} if "beta" in unit.roles else {"moving_mean": "mean"}
    return scale | shift


def _is_cut(graph: LayerGraph, chain: Unit) -> bool:
    """Whether a node that is not understood stands beside it with tensors of its own.

    The rest of the chain may be in it.
    """
    beside = (*graph.parents[chain.members[0].name], *graph.children[chain.members[-1].name])
    return any(layer.op == "Opaque" and layer.tensors for layer in map(graph.by_name.__getitem__, beside))


def _operation(chain: Unit, tensor: Tensor) -> str:
    layer = next(member for member in chain.members if tensor in member.tensors)
    plain, inverse = OPERATIONS["Scale" if layer.op == "Scale" else "Shift"]
    return inverse if layer.attributes.get("is_inverse") else plain


def constant_match(tensor: Tensor, pair: LayerPair, value: float) -> Match:
    """A tensor that is filled with one value, for which the pair is the evidence."""
    return _match(tensor, pair, (), "constant", {"shape": list(tensor.shape), "value": value})


def _match(
    tensor: Tensor, pair: LayerPair, sources: tuple[str, ...], transform: str, parameters: Mapping[str, Any]
) -> Match:
    evidence = (*pair.evidence, "folded")
    is_preserving = bool(transform)
    return Match(tensor.name, sources, transform, dict(parameters), is_preserving, pair.confidence, evidence)


def _size(unit: Unit) -> int:
    return max(t.size for _, t in unit.tensors)
