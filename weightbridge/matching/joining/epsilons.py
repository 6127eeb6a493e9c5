"""BatchNorms of other epsilon: gamma' = gamma sqrt((var + eps_target) / (var + eps_source)) makes them one
function.
"""

from collections.abc import Mapping
from dataclasses import replace

from weightbridge.matching.differences.functions import Difference
from weightbridge.matching.values import Match
from weightbridge.model.graph import LayerGraph


def equal_epsilons(
    matches: Mapping[str, Match], differing: tuple[Difference, ...], target: LayerGraph
) -> dict[str, Match]:
    """target gamma -> its match, for every plainly matched BatchNorm whose epsilon differs."""
    found = {}
    for d in differing:
        layer = target.by_name[d.target]
        gamma, variance = layer.tensor("gamma"), layer.tensor("moving_variance")
        if d.attribute != "epsilon" or layer.op != "BatchNorm" or gamma is None or variance is None:
            continue
        a, b = matches.get(gamma.name), matches.get(variance.name)
        if a is not None and b is not None and not a.transform and not b.transform:
            parameters = {"source_epsilon": d.values[0], "target_epsilon": d.values[1]}
            found[gamma.name] = replace(
                a,
                sources=(*a.sources, *b.sources),
                transform="batchnorm-gamma",
                parameters=parameters,
                preserving=True,
            )
    return found
