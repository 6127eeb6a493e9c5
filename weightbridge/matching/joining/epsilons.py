"""BatchNorms of other epsilon, which another gamma makes equal.

gamma' = gamma sqrt((var + eps_target) / (var + eps_source)), or var' = var + eps_source - eps_target
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeGuard

from weightbridge.matching.differences.functions import Difference
from weightbridge.matching.values import Match
from weightbridge.model.graph import Layer, LayerGraph

EPSILON = "epsilon"
GAMMA_FOR_EPSILON = "batchnorm-gamma"
VARIANCE_FOR_EPSILON = "batchnorm-variance"


def equal_epsilons(
    matches: Mapping[str, Match], differing: tuple[Difference, ...], target: LayerGraph
) -> dict[str, Match]:
    """Target tensor -> its match, for every plainly matched BatchNorm whose epsilon differs.

    The gamma makes up for it; where there is none, and the source's epsilon is the larger, the variance.
    """
    turned: dict[str, Match] = {}
    for difference in differing:
        layer = target.by_name[difference.target]
        if difference.attribute == EPSILON and layer.op == "BatchNorm":
            turned |= _made_equal(matches, layer, *difference.values)
    return turned


def _made_equal(
    matches: Mapping[str, Match], layer: Layer, source_epsilon: float, target_epsilon: float
) -> dict[str, Match]:
    gamma, variance = layer.tensor("gamma"), layer.tensor("moving_variance")
    of_variance = matches.get(variance.name) if variance is not None else None
    if variance is None or not _is_plain(of_variance):
        return {}
    parameters = {"source_epsilon": source_epsilon, "target_epsilon": target_epsilon}
    if gamma is None:
        if source_epsilon < target_epsilon:
            return {}  # a variance below the difference would have to be negative
        match = replace(of_variance, transform=VARIANCE_FOR_EPSILON, parameters=parameters, preserving=True)
        return {variance.name: match}
    of_gamma = matches.get(gamma.name)
    if of_gamma is None or not (_is_plain(of_gamma) or _is_one(of_gamma)):
        return {}
    match = replace(of_gamma, transform=GAMMA_FOR_EPSILON, parameters=parameters, preserving=True)
    return {gamma.name: replace(match, sources=(*of_gamma.sources, *of_variance.sources))}


def _is_one(match: Match) -> bool:
    """Whether the gamma stands for none in the source."""
    return match.transform == "constant" and match.parameters.get("value") == 1.0


def _is_plain(match: Match | None) -> TypeGuard[Match]:
    """Whether the tensor is copied as it is."""
    return match is not None and not match.transform


def made_up_for(matches: Iterable[Match], target: LayerGraph) -> frozenset[tuple[str, str]]:
    """(target layer, attribute): the epsilons for which the values of another tensor make up."""
    layers = (target.owner[m.target] for m in matches if _holds_epsilon(m))
    return frozenset((layer.name, EPSILON) for layer in layers if layer.op == "BatchNorm")


def _holds_epsilon(match: Match) -> bool:
    is_turned = match.transform in (GAMMA_FOR_EPSILON, VARIANCE_FOR_EPSILON)
    return is_turned or "folded" in match.evidence
