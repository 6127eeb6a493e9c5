"""What exporters fold or drop: BatchNorm inside its neighbour's weights or as per-channel affine nodes, and
all-zero biases.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import sqrt
from typing import Any

from weightbridge.diagnostics import Finding, finding
from weightbridge.matching.confidence import ASSUMED
from weightbridge.matching.context import Context
from weightbridge.matching.pairing.by_norm_owner import Home, homes
from weightbridge.matching.units.units import Unit
from weightbridge.matching.values import LayerPair, Match
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import AFFINE

NEUTRAL = {"moving_mean": "mean 0", "moving_variance": "variance 1"}
DEFAULT_EPSILON = {
    "keras": 1e-3,
    "torch": 1e-5,
    "onnx": 1e-5,
}  # where the file does not keep it (weights alone)


def fold_batchnorms(context: Context) -> tuple[tuple[Match, ...], tuple[Finding, ...]]:
    """Matches for every target BatchNorm whose source is folded into the layer before it, or stands as affine
    nodes.
    """
    matches: list[Match] = []
    findings: list[Finding] = []
    known = homes(context)
    for unit in context.target.units:
        if unit.layer.op != "BatchNorm":
            continue
        made = (
            _from_affine(context, unit)
            if unit.name in context.pairs
            else _from_neighbour(context, unit, known)
        )
        matches += made
        if made:
            findings.append(_said(context, unit, made))
    return tuple(matches), tuple(findings)


def _said(context: Context, unit: Unit, made: list[Match]) -> Finding:
    source = next((s for m in made for s in m.sources), "")
    tensors = context.target.graph.tensor_by_name
    given = [tensors[m.target].role for m in made if m.transform == "affine"]
    how = (
        f"its affine nodes give {' and '.join(given)}"
        if unit.name in context.pairs
        else "the folded kernel and bias stay whole"
    )
    neutral = [text for role, text in NEUTRAL.items() if unit.name not in context.pairs or role not in given]
    return finding(
        "WB305",
        f"{unit.name}: the source's BatchNorm is folded by its exporter; {how}"
        f"{', the statistics are ' + ' and '.join(neutral) if neutral else ''}"
        f"{assumed(unit, context.target.graph)}",
        source=source,
        target=unit.name,
        fix="nothing to do for inference; fine-tuning starts with these statistics",
    )


def _from_neighbour(context: Context, unit: Unit, known: Mapping[str, Home]) -> list[Match]:
    """The layer before it took the BatchNorm in: identity statistics, its bias in beta where the target's
    layer has none.
    """
    pair = _layer_before(context, unit, known)
    if pair is None:
        return []
    source, before = context.source.by_name[pair.source], context.target.by_name[pair.target]
    bias = source.roles.get("bias")
    moved = bias is not None and "bias" not in before.roles
    exported = context.source.graph.framework == "onnx" and bias is not None
    if not (moved or exported) or _size(unit) != (bias.size if bias else 0):
        return []
    sure = (
        replace(pair, confidence=min(pair.confidence, ASSUMED))
        if assumed(unit, context.target.graph)
        else pair
    )
    return _identity(unit, sure, bias if moved else None, epsilon_of(unit, context.target.graph))


def _layer_before(context: Context, unit: Unit, known: Mapping[str, Home]) -> LayerPair | None:
    """The pair of the layer that the BatchNorm stands behind; where the target has no data flow, as sure as
    its place is.
    """
    if context.target.graph.has_flow:
        feeding = context.target.parents[unit.name]
        return context.pairs.get(feeding[0]) if len(feeding) == 1 else None
    home = known.get(unit.name)
    pair = context.pairs.get(home.layer) if home else None
    return replace(pair, confidence=min(pair.confidence, home.confidence)) if home and pair else None


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
    """gamma = sqrt(1 + eps), beta = bias or 0, mean 0, variance 1: the identity, whichever of gamma and beta
    the layer has.
    """
    roles = unit.roles
    values = {
        "gamma": sqrt(1 + epsilon),
        "beta": 0.0,
        "moving_mean": 0.0,
        "moving_variance": 1.0 if "gamma" in roles else 1 - epsilon,
    }
    made = []
    for role, tensor in roles.items():
        if bias is not None and role == "beta":
            made.append(_match(tensor, pair, (bias.name,), "", {}))
        elif bias is not None and role == "moving_mean" and "beta" not in roles:
            made.append(
                _match(
                    tensor,
                    pair,
                    (bias.name,),
                    "affine",
                    {"value": "mean", "ops": ["shift"], "epsilon": epsilon},
                )
            )
        else:
            made.append(
                _match(tensor, pair, (), "constant", {"shape": list(tensor.shape), "value": values[role]})
            )
    return made


def _from_affine(context: Context, unit: Unit) -> list[Match]:
    """A chain of per-channel multiplications and additions as one BatchNorm."""
    pair = context.pairs[unit.name]
    chain = context.source.by_name[pair.source]
    if chain.layer.op not in AFFINE or _is_cut(context.source.graph, chain):
        return []
    names, ops = zip(*((t.name, _operation(chain, t)) for _, t in chain.tensors), strict=True)
    roles, epsilon = unit.roles, epsilon_of(unit, context.target.graph)
    held = {
        **({"gamma": "scale"} if "gamma" in roles else {"moving_variance": "variance"}),
        **({"beta": "shift"} if "beta" in roles else {"moving_mean": "mean"}),
    }
    made = []
    for role, tensor in roles.items():
        if role in held:
            made.append(
                _match(
                    tensor, pair, names, "affine", {"value": held[role], "ops": list(ops), "epsilon": epsilon}
                )
            )
        else:
            made.append(
                _match(
                    tensor,
                    pair,
                    (),
                    "constant",
                    {"shape": list(tensor.shape), "value": float(role == "moving_variance")},
                )
            )
    return made


def _is_cut(graph: LayerGraph, chain: Unit) -> bool:
    """Whether a node that is not understood stands beside it with tensors of its own: the rest of the chain
    may be in it.
    """
    beside = (*graph.parents[chain.members[0].name], *graph.children[chain.members[-1].name])
    return any(layer.op == "Opaque" and layer.tensors for layer in map(graph.by_name.__getitem__, beside))


def _operation(chain: Unit, tensor: Tensor) -> str:
    layer = next(m for m in chain.members if tensor in m.tensors)
    inverse = bool(layer.attributes.get("is_inverse"))
    return (
        ("divide" if inverse else "multiply") if layer.op == "Scale" else ("subtract" if inverse else "add")
    )


def _match(
    tensor: Tensor, pair: LayerPair, sources: tuple[str, ...], transform: str, parameters: Mapping[str, Any]
) -> Match:
    return Match(
        tensor.name,
        sources,
        transform,
        dict(parameters),
        bool(transform),
        pair.confidence,
        (*pair.evidence, "folded"),
    )


def _size(unit: Unit) -> int:
    return max(t.size for _, t in unit.tensors)


def zero_biases(
    context: Context, missing: Iterable[tuple[LayerPair, Tensor]]
) -> tuple[tuple[Match, ...], tuple[Finding, ...]]:
    """Biases that a paired layer of a file that is not Keras's own lacks, which is to have one of zero:
    exporters drop those that are.

    Not where an unused vector could be the bias.
    """
    if context.source.graph.is_from_keras:
        return (), ()
    spare = {
        t.size for unit in context.source.units if unit.name not in context.taken for _, t in unit.tensors
    }
    known = [
        (pair, tensor) for pair, tensor in missing if context.source.by_name[pair.source].layer.op != "Opaque"
    ]
    dropped = [(pair, tensor) for pair, tensor in known if tensor.role == "bias" and tensor.size not in spare]
    matches = tuple(_match(t, p, (), "constant", {"shape": list(t.shape), "value": 0.0}) for p, t in dropped)
    findings = tuple(
        finding(
            "WB306",
            f"{t.name}: {p.source} has no bias in the source, which is a bias of zero, so this one is filled with zeros",
            source=p.source,
            target=t.name,
        )
        for p, t in dropped
    )
    return matches, findings
