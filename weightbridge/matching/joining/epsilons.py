"""BatchNorms of other epsilon, which another gamma makes equal.

gamma' = gamma sqrt((var + eps_target) / (var + eps_source))
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeGuard

from weightbridge.matching.differences.functions import Difference
from weightbridge.matching.values import Match
from weightbridge.model.graph import LayerGraph

EPSILON = "epsilon"
GAMMA_FOR_EPSILON = "batchnorm-gamma"


def equal_epsilons(
    matches: Mapping[str, Match], differing: tuple[Difference, ...], target: LayerGraph
) -> dict[str, Match]:
    """target gamma -> its match, for every plainly matched BatchNorm whose epsilon differs."""
    turned = {}
    for difference in differing:
        layer = target.by_name[difference.target]
        gamma, variance = layer.tensor("gamma"), layer.tensor("moving_variance")
        if difference.attribute != EPSILON or layer.op != "BatchNorm" or gamma is None or variance is None:
            continue
        of_gamma, of_variance = matches.get(gamma.name), matches.get(variance.name)
        if _is_plain(of_gamma) and _is_plain(of_variance):
            turned[gamma.name] = replace(
                of_gamma,
                sources=(*of_gamma.sources, *of_variance.sources),
                transform=GAMMA_FOR_EPSILON,
                parameters={"source_epsilon": difference.values[0], "target_epsilon": difference.values[1]},
                preserving=True,
            )
    return turned


def _is_plain(match: Match | None) -> TypeGuard[Match]:
    """Whether the tensor is copied as it is."""
    return match is not None and not match.transform


def made_up_for(matches: Iterable[Match], target: LayerGraph) -> frozenset[tuple[str, str]]:
    """(target layer, attribute): the epsilons for which the values of another tensor make up."""
    layers = (target.owner[m.target] for m in matches if _holds_epsilon(m))
    return frozenset((layer.name, EPSILON) for layer in layers if layer.op == "BatchNorm")


def _holds_epsilon(match: Match) -> bool:
    return match.transform == GAMMA_FOR_EPSILON or "folded" in match.evidence
