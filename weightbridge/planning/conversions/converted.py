"""The steps of a conversion, whose writer knows what gives each weight: nothing has to be matched."""

from collections.abc import Mapping

from weightbridge.converting.values import Weight
from weightbridge.matching.values import Match
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Step
from weightbridge.planning.steps import exact_step


def weight_step(target: Tensor, weight: Weight, dtypes: Mapping[str, str]) -> Step:
    """The step of a tensor of the new model."""
    match = Match(
        target=target.name,
        sources=weight.sources,
        transform=weight.transform,
        parameters=dict(weight.parameters),
        confidence=1.0,
        evidence=("name",),
    )
    return exact_step(target, match, dtypes)
