"""Norms that are told to have no scale, or no centre: in a target that has them these are one and zero."""

from collections.abc import Iterable, Iterator

from weightbridge.matching.context import Context
from weightbridge.matching.joining.epsilons import GAMMA_FOR_EPSILON
from weightbridge.matching.values import LayerPair, Match
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import NORMS

# role -> the attribute that says whether a norm has it, and the value that leaves everything as it is
NEUTRAL = {"gamma": ("scale", 1.0), "beta": ("center", 0.0)}


def unscaled_norms(context: Context, missing: Iterable[tuple[LayerPair, Tensor]]) -> Iterator[Match]:
    """Constants for the target's gamma and beta, where the source's norm says that it has none."""
    for pair, tensor in missing:
        attribute, value = NEUTRAL.get(tensor.role, ("", 0.0))
        layer = context.source.by_name[pair.source].layer
        is_norm = layer.op in NORMS and context.target.by_name[pair.target].layer.op == layer.op
        if attribute and is_norm and layer.attributes.get(attribute) is False:
            filled = {"shape": list(tensor.shape), "value": value}
            yield Match(tensor.name, (), "constant", filled, True, pair.confidence, pair.evidence)


def neutral_ones(matches: Iterable[Match], target: LayerGraph) -> frozenset[tuple[str, str]]:
    """(target layer, attribute): what one side alone has, where it changes nothing."""
    return frozenset(
        (target.owner[match.target].name, attribute)
        for match in matches
        if (attribute := _neutral(match, target.tensor_by_name[match.target].role))
    )


def _neutral(match: Match, role: str) -> str:
    """The attribute that a match makes up for, "" for none."""
    attribute, value = NEUTRAL.get(role, ("", 0.0))
    is_filled = match.transform == "constant" and match.parameters.get("value") == value
    is_of_one = match.transform == GAMMA_FOR_EPSILON and len(match.sources) == 1
    return attribute if is_filled or is_of_one else ""
